"""What several resources share in the form of their answers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
from starlette.responses import Response

from dicomweb import media, multipart, native, problems
from dicomweb.calls import Call
from dicomweb.media import DICOM_JSON, JSON, Offer
from dicomweb.multipart import Part

JSON_OFFERS = (Offer(DICOM_JSON), Offer(JSON))
DATA_SETS: Final = (*JSON_OFFERS, Offer(native.XML, multipart=True, wild=False))
ONE_DATA_SET: Final = (*DATA_SETS, Offer(native.XML, wild=False))
"""JSON to everybody who does not ask for XML by its name (PS3.18 8.7.3.2). Several data sets are as
many documents, so bare XML there is for one only."""


def dicom_json(
    value: Any, media_type: str, status: int = problems.OK, warnings: Iterable[str] = ()
) -> Response:
    response = Response(orjson.dumps(value), status, media_type=media_type)
    response.headers["Cache-Control"] = "no-store"
    for text in warnings:
        warn(response, text)
    return response


def data_sets(found: Sequence[Mapping[str, Any]], offer: Offer, *, warnings: Iterable[str] = ()) -> Response:
    """Data sets of the DICOM JSON Model in the form that was chosen. XML that is not multipart holds
    exactly one."""
    if offer.type != native.XML:
        return dicom_json(found, offer.type, warnings=warnings)
    if not found:  # there is no multipart of no parts
        return dicom_json(found, DICOM_JSON, warnings=warnings)
    documents = [native.document(one) for one in found]
    if not offer.multipart:
        (document,) = documents
        return Response(document, headers={"Content-Type": native.XML, "Cache-Control": "no-store"})
    boundary = multipart.boundary_of(*map(bytes.hex, documents))
    response = Response(
        b"".join(multipart.write([xml_part(one) for one in documents], boundary)),
        headers={"Content-Type": multipart_type(native.XML, boundary), "Cache-Control": "no-store"},
    )
    for text in warnings:
        warn(response, text)
    return response


def xml_part(document: bytes) -> Part:
    return Part(native.XML, len(document), lambda: iter((document,)))


def warn(response: Response, text: str) -> None:
    """PS3.18 8.3.4 and 10.6.3: `Warning: 299 {service}: text`."""
    plain = text.encode("ascii", "replace").decode().replace('"', "'").replace("\r", " ").replace("\n", " ")
    response.headers.append("Warning", f'299 hilum: "{plain}"')


def etag(*identity: str) -> str:
    """Strong: among `identity` there is a digest of the content."""
    return f'"{multipart.boundary_of(*identity)}"'


def not_modified(call: Call, tag: str) -> Response | None:
    """304 when the client already has this very representation (RFC 9110 13.1.2)."""
    asked = [one.strip().removeprefix("W/") for one in call.header("if-none-match").split(",")]
    if tag in asked or "*" in asked:
        return Response(status_code=problems.NOT_MODIFIED, headers={"ETag": tag})
    return None


def range_asked(call: Call, tag: str = "") -> str:
    """The Range header, unless If-Range says that the client holds something else (RFC 9110 13.1.5)."""
    condition = call.header("if-range")
    return "" if condition and condition != tag else call.header("range")


def multipart_type(kind: str, boundary: str) -> str:
    """The outer Content-Type. The boundary is hexadecimal, which needs no quotes."""
    return f'{media.MULTIPART}; type="{kind}"; boundary={boundary}'
