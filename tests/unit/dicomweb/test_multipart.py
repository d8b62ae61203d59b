"""The multipart parser gives the same events however the bytes arrive, and reads what the writer wrote."""

import contextlib
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb import multipart
from dicomweb.multipart import MAX_HEADER_BYTES, End, Event, Parser, Part, PartBegin, PartData, PartEnd
from pacs.errors import Invalid

Parts = list[tuple[dict[str, str], bytes]]

PAYLOADS = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from([b"\r\n--", b"\r\n\r\n", b"--b", b"\r\n--b", b"\r\n--bX", b"\r", b"\n", b"--", b"x"]),
        max_size=12,
    ).map(b"".join),
)


def collect(body: bytes, boundary: str = "b", cuts: tuple[int, ...] = ()) -> Parts:
    parser = Parser(boundary)
    parts: Parts = []
    ended = False
    for piece in split(body, cuts):
        for event in parser.feed(piece):
            assert not ended
            ended = take(event, parts)
    parser.close()
    assert ended
    return parts


def take(event: Event, parts: Parts) -> bool:
    match event:
        case PartBegin(headers):
            parts.append((headers, b""))
        case PartData(data):
            headers, so_far = parts[-1]
            parts[-1] = (headers, so_far + bytes(data))
        case PartEnd():
            pass
        case End():
            return True
    return False


def split(body: bytes, cuts: tuple[int, ...]) -> Iterator[bytes]:
    edges = [0, *sorted(min(c, len(body)) for c in cuts), len(body)]
    return (body[a:b] for a, b in itertools.pairwise(edges))


def one_byte(body: bytes) -> tuple[int, ...]:
    return tuple(range(len(body)))


def simple(payload: bytes = b"data") -> bytes:
    return b"--b\r\nContent-Type: application/dicom\r\n\r\n" + payload + b"\r\n--b--\r\n"


EXPECTED: Parts = [({"content-type": "application/dicom"}, b"data")]


@pytest.mark.parametrize(
    "body",
    [
        simple(),
        b"\r\n" + simple(),
        b"\r\n\r\n" + simple(),
        b"a preamble\r\nof two lines\r\n" + simple(),
        simple().removesuffix(b"\r\n"),
        simple() + b"an epilogue\r\n--b\r\n",
        simple().replace(b"--b\r\n", b"--b \t\r\n"),
        b"--bX\r\nno\r\n" + simple(),
    ],
    ids=["plain", "leading-crlf", "two-crlf", "preamble", "no-final-crlf", "epilogue", "padding", "longer"],
)
def test_tolerated_forms(body: bytes) -> None:
    assert collect(body) == EXPECTED
    assert collect(body, cuts=one_byte(body)) == EXPECTED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        simple().replace(b"\r\n", b"\n"),
        simple().removesuffix(b"--\r\n"),
        simple()[:-12],
        b"--b\r\nContent-Type: x",
        b"--b\r\nContent-Type: a\nOther: b\r\n\r\ndata\r\n--b--",
        b"--b\r\nno colon\r\n\r\ndata\r\n--b--",
        b"--b\r\nX: " + b"y" * MAX_HEADER_BYTES + b"\r\n\r\ndata\r\n--b--",
    ],
    ids=["empty", "none", "lf", "not-closed", "cut", "cut-header", "lf-header", "no-colon", "long-header"],
)
def test_refused_forms(body: bytes) -> None:
    for cuts in ((), one_byte(body)):
        with pytest.raises(Invalid):
            collect(body, cuts=cuts)


def test_parts_without_headers_and_without_bytes() -> None:
    body = b"--b\r\n\r\nplain\r\n--b\r\nA: 1\r\n\r\n\r\n--b\r\nA: 2\r\n\r\n--b--"
    assert collect(body) == [({}, b"plain"), ({"a": "1"}, b""), ({"a": "2"}, b"")]
    assert collect(body, cuts=one_byte(body)) == collect(body)


def test_no_parts() -> None:
    assert collect(b"--b--\r\n") == []


def test_folded_header() -> None:
    body = b"--b\r\nContent-Type: application/dicom;\r\n transfer-syntax=1.2\r\n\r\nd\r\n--b--"
    assert collect(body) == [({"content-type": "application/dicom; transfer-syntax=1.2"}, b"d")]


@pytest.mark.parametrize("boundary", ["a=b'c+d", "0f3cf5c0-70e0-41ef", "x y", "(),./:?"])
def test_odd_boundaries(boundary: str) -> None:
    body = simple().replace(b"--b", b"--" + boundary.encode())
    assert collect(body, boundary) == EXPECTED


@pytest.mark.parametrize("boundary", ["", "é", "x" * 201])
def test_impossible_boundaries(boundary: str) -> None:
    with pytest.raises(Invalid):
        Parser(boundary)


@given(st.lists(PAYLOADS, max_size=4), st.lists(st.integers(0, 1500), max_size=8).map(tuple))
def test_what_is_written_is_read_back_however_it_is_cut(payloads: list[bytes], cuts: tuple[int, ...]) -> None:
    boundary = multipart.boundary_of("study", "digest")
    parts = [Part("application/dicom", len(p), lambda p=p: iter([p])) for p in payloads]  # type: ignore[misc]
    body = b"".join(multipart.write(parts, boundary))
    assert len(body) == multipart.length_of(parts, boundary)
    assert collect(body, boundary, cuts) == [({"content-type": "application/dicom"}, p) for p in payloads]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6).map(tuple))
def test_any_cut_of_any_bytes_gives_the_same(noise: bytes, cuts: tuple[int, ...]) -> None:
    assert outcome(noise, cuts) == outcome(noise, ())


@given(
    st.lists(
        st.sampled_from([b"--b", b"\r\n", b"--", b"-", b" ", b"\n", b"A: 1", b"\r\n\r\n", b"x"]), max_size=30
    ),
    st.lists(st.integers(0, 120), max_size=6).map(tuple),
)
def test_any_cut_of_almost_multipart_gives_the_same(pieces: list[bytes], cuts: tuple[int, ...]) -> None:
    body = b"".join(pieces)
    assert outcome(body, cuts) == outcome(body, ()) == outcome(body, one_byte(body))


def outcome(body: bytes, cuts: tuple[int, ...]) -> tuple[Parts, bool]:
    parts: Parts = []
    parser = Parser("b")
    with contextlib.suppress(Invalid):
        for piece in split(body, cuts):
            for event in parser.feed(piece):
                take(event, parts)
        parser.close()
        return parts, True
    return [], False


def test_memory_is_bounded_by_the_chunk() -> None:
    parser = Parser("b")
    list(parser.feed(b"--b\r\n\r\n"))
    largest = 0
    for _ in range(50):
        given_back = sum(len(e.data) for e in parser.feed(b"\r" * 100_000) if isinstance(e, PartData))
        largest = max(largest, 100_000 - given_back)
    assert largest <= 8


def test_the_boundary_depends_on_the_resource_only() -> None:
    assert (
        multipart.boundary_of("a", "b") == multipart.boundary_of("a", "b") != multipart.boundary_of("ab", "")
    )
