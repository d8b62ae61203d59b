"""The OHIF viewer at /viewer/: the files that `make viewer` prepared, and a page and a configuration that
know where the archive is seen from. Addresses that are no file of it are the viewer's own (its router's)."""

import posixpath
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from starlette.responses import Response

from dicomweb import answers, ohif_files, ohif_page
from dicomweb.calls import Call
from dicomweb.ohif_files import File, Prepared
from dicomweb.streams import Source, Streamed
from pacs.errors import NotFound

PLACE: Final = ohif_page.PLACE
_PIECE: Final = 1 << 18
_A_DAY: Final = "private, max-age=86400"
_ASK: Final = "private, no-cache"


def retrieve(call: Call) -> Response:
    """Raises NotFound when no viewer is prepared."""
    viewer = prepared(call.archive.config.web.viewer)
    if viewer is None:
        raise NotFound("the OHIF viewer is not installed", hint="make viewer, and name it in [web] viewer")
    name = call.part("path")
    if name == "app-config.js":
        return _made(call, ohif_page.configuration(call.outside), ohif_files.TYPES[".js"])
    if name in viewer.files:
        return _file(call, viewer.files[name])
    if posixpath.splitext(name)[1] in ohif_files.TYPES:
        raise NotFound("the viewer has no such file")
    return _made(call, ohif_page.page(viewer, call.outside), ohif_files.TYPES[".html"])


@lru_cache(maxsize=4)
def prepared(folder: str) -> Prepared | None:
    """Read once; None when there is none."""
    return ohif_files.read(Path(folder)) if folder else None


def _file(call: Call, file: File) -> Response:
    form = file.form(call.header("accept-encoding"))
    headers = {
        "ETag": f'"{file.digest}{form}"',
        "Content-Security-Policy": ohif_page.POLICY,
        "Cache-Control": _A_DAY if file.named_by_content else _ASK,
        "Vary": "Accept-Encoding",
    } | ({"Content-Encoding": ohif_files.ENCODINGS[form]} if form else {})
    path = file.path_of(form)
    return _unchanged(call, headers) or Streamed(
        Source(_chunks(path)),
        media_type=file.media_type,
        length=path.stat().st_size,
        headers=headers,
        only_head=call.only_head,
    )


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while piece := source.read(_PIECE):
            yield piece


def _made(call: Call, content: str, media_type: str) -> Response:
    headers = {
        "ETag": answers.etag(content),
        "Content-Security-Policy": ohif_page.POLICY,
        "Content-Type": media_type,
    }
    return _unchanged(call, headers) or Response(content, headers=headers)


def _unchanged(call: Call, headers: Mapping[str, str]) -> Response | None:
    """A 304 says all that the answer itself would: browsers take the policy of a page from it."""
    response = answers.not_modified(call, headers["ETag"])
    if response is not None:
        response.headers.update(headers)
    return response
