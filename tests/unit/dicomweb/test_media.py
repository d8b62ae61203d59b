"""Reading Accept and Content-Type as clients send them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb import media
from dicomweb.media import Offer
from pacs.errors import Invalid, NotAcceptable

OBJECT = Offer("application/dicom", transfer_syntaxes=("1.2.840.10008.1.2.4.50",))
OBJECTS = Offer("application/dicom", multipart=True, transfer_syntaxes=("1.2.840.10008.1.2.4.50",))
OCTETS = Offer("application/octet-stream", multipart=True, transfer_syntaxes=("1.2.5",), default=False)
JPEG = Offer("image/jpeg")
PNG = Offer("image/png")
JSON = Offer("application/dicom+json")


@pytest.mark.parametrize(
    "accept",
    [
        'multipart/related; type="application/dicom"',
        "multipart/related; type=application/dicom",
        "multipart/related;type=application/dicom",
        'Multipart/Related ; TYPE="Application/DICOM"',
        'multipart/related; transfer-syntax=*; type="application/dicom"',
        'multipart/related; q=0.5; transfer-syntax="1.2.840.10008.1.2.4.50" ; type=application/dicom',
        'multipart/related; type="application/dicom;transfer-syntax=1.2.840.10008.1.2.4.50"',
        "multipart/related",
        "multipart/*",
        'text/html, multipart/related; type="application/dicom";q=0.1',
        "garbage, multipart/related; type=application/dicom; boundary=x",
    ],
)
def test_multipart_of_objects_however_it_is_spelt(accept: str) -> None:
    assert media.choose(media.parse_accept(accept), (OBJECT, OBJECTS)) is OBJECTS


@pytest.mark.parametrize("accept", ["application/dicom", "*/*", "", "*", "application/*", "*; q=.2", " , "])
def test_single_part(accept: str) -> None:
    assert media.choose(media.parse_accept(accept), (OBJECT, OBJECTS)) is OBJECT


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/dicom; transfer-syntax=1.2.840.10008.1.2.1",
        'multipart/related; type="application/octet-stream"',
        "application/dicom;q=0",
        "garbage",
        "*/*;q=0",
    ],
)
def test_what_cannot_be_given(accept: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        media.choose(media.parse_accept(accept), (OBJECT, OBJECTS))
    assert "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50" in caught.value.hint


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("image/jpeg;q=0.5, image/png", PNG),
        ("image/jpeg, image/png", JPEG),
        ("image/*;q=0.5, image/png;q=0.4", JPEG),
        ("image/jpeg;q=0, */*", PNG),
        ("image/png, */*;q=0.1", PNG),
    ],
)
def test_q_values(accept: str, chosen: Offer) -> None:
    assert media.choose(media.parse_accept(accept), (JPEG, PNG)) is chosen


def test_metadata_with_the_accept_of_ohif() -> None:
    accept = "application/dicom+json, multipart/related; type=application/octet-stream; transfer-syntax=*"
    assert media.choose(media.parse_accept(accept), (JSON,)) is JSON


@pytest.mark.parametrize(
    ("syntax", "given_out"), [("", False), ("; transfer-syntax=*", True), ("; transfer-syntax=1.2.5", True)]
)
def test_stored_syntax_only_when_it_is_asked_for(syntax: str, given_out: bool) -> None:  # noqa: FBT001
    accepted = media.parse_accept(f"multipart/related; type=application/octet-stream{syntax}")
    assert (media.quality(accepted, OCTETS) > 0) is given_out


@pytest.mark.parametrize(
    ("query", "accept"),
    [
        ("accept=image/jpeg", "image/jpeg"),
        ("a=b&accept=image%2Fjpeg", "image/jpeg"),
        ("accept=application/dicom+json", "application/dicom+json"),
        ("accept=application%2Fdicom%2Bjson", "application/dicom+json"),
        (
            "accept=multipart/related;+type=application/octet-stream;%20transfer-syntax=*",
            "multipart/related; type=application/octet-stream; transfer-syntax=*",
        ),
        ("limit=1", None),
        ("", None),
    ],
)
def test_the_accept_parameter(query: str, accept: str | None) -> None:
    assert media.accept_parameter(query) == accept


@pytest.mark.parametrize(
    ("text", "boundary"),
    [
        ('multipart/related; type="application/dicom"; boundary="a b"', "a b"),
        ("multipart/related; boundary=a=b'c+d; type=application/dicom", "a=b'c+d"),
        ('multipart/related;boundary="a;b\\"c"', 'a;b"c'),
        ("multipart/related; type=application/dicom", ""),
    ],
)
def test_boundaries(text: str, boundary: str) -> None:
    assert media.parse_media_type(text).get("boundary") == boundary


@pytest.mark.parametrize("text", ["", "dicom", "a/", "/b", 'a/b; c="d', "a b/c", "x" * 9000])
def test_what_is_no_content_type(text: str) -> None:
    with pytest.raises(Invalid):
        media.parse_media_type(text)


@pytest.mark.parametrize(
    "text", ["a/b;q=x", "a/b;q=2", "a/b;q=nan", "a/b;q=-1", "a/b;q=", 'a/b;c="', "x/y," * 9000]
)
def test_what_cannot_be_read_accepts_nothing(text: str) -> None:
    assert media.parse_accept(text) == ()


@pytest.mark.parametrize(
    ("weight", "quality"), [("1", 1), ("1.", 1), ("1.000", 1), ("0.25", 0.25), (".5", 0.5), ("0", 0)]
)
def test_weights(weight: str, quality: float) -> None:
    (found,) = media.parse_accept(f"a/b;q={weight}")
    assert found.quality == quality


def test_the_rest_of_what_cannot_be_read_is_read() -> None:
    assert [one.type for one in media.parse_accept("a/b;q=x, c/d, nonsense, e/f")] == ["c/d", "e/f"]


PIECES = st.lists(
    st.sampled_from(
        ["multipart/related", "*/*", ";", ",", "type=", '"', "\\", "q=", "0.5", " ", "=", "a/b", "é"]
    ),
    max_size=20,
).map("".join)


@given(st.one_of(st.text(max_size=60), PIECES))
def test_nothing_but_our_own_refusals(text: str) -> None:
    with contextlib.suppress(Invalid):
        media.parse_media_type(text)
    with contextlib.suppress(Invalid, NotAcceptable):
        media.choose(media.parse_accept(text), (OBJECT, OBJECTS, JSON))
    media.accept_parameter(text)
