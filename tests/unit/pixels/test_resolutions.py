import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs.dicom import uids
from pacs.pixels.convert import transcode_frame
from pacs.pixels.reduced import decode_reduced
from pacs.pixels.resolutions import More, Resolutions, parse
from pacs.pixels.syntaxes import HTJ2K_RPCL, JPEG_2000_LOSSLESS
from tests.unit.pixels.frame_population import SIZES, content, shape

PICTURE = shape(300, 200, stored=12)
FRAME = transcode_frame(content(PICTURE, "extremes"), PICTURE, uids.EXPLICIT_LE, HTJ2K_RPCL).data
TLM_AT = FRAME.index(b"\xff\x55")
SOT_AT = FRAME.index(b"\xff\x90")


def told(frame: bytes, size: int | None = None) -> Resolutions:
    found = parse(frame, size)
    assert isinstance(found, Resolutions)
    return found


def parts(frame: bytes, header: int) -> list[int]:
    """Ends of the tile-parts by following their SOT markers (ISO 15444-1 A.4.2)."""
    ends, pos = [], header
    while frame[pos : pos + 2] == b"\xff\x90":
        pos += struct.unpack_from(">I", frame, pos + 6)[0]
        ends.append(pos)
    return ends


@settings(max_examples=50, deadline=None)
@given(rows=SIZES, columns=SIZES, samples=st.sampled_from([1, 3]), kind=st.sampled_from(["noise", "ramp"]))
def test_ends_are_those_of_the_tile_parts(rows: int, columns: int, samples: int, kind: str) -> None:
    wanted = shape(rows, columns, samples)
    made = transcode_frame(content(wanted, kind), wanted, uids.EXPLICIT_LE, HTJ2K_RPCL)
    found = told(made.data, len(made.data))
    assert list(found.ends) == parts(made.data, found.header)
    assert made.data[found.ends[-1] :].rstrip(b"\0") == b"\xff\xd9"
    assert [found.factor(number) for number in range(6)] == [32, 16, 8, 4, 2, 1]
    for number, end in enumerate(found.ends):
        factor = found.factor(number)
        assert found.end_of(factor) == end
        cut = decode_reduced(made.data[:end], factor, made.shape)
        assert (cut == decode_reduced(made.data, factor, made.shape)).all()


def test_no_other_factors() -> None:
    assert [told(FRAME).end_of(factor) for factor in (0, 3, 64)] == [None, None, None]


def test_the_header_is_enough_and_less_asks_for_more() -> None:
    whole = told(FRAME)
    assert whole.header == SOT_AT
    for size in range(len(FRAME)):
        found = parse(FRAME[:size], len(FRAME))
        if size < SOT_AT + 4:
            assert isinstance(found, More)
            assert found.size > size
        else:
            assert found == whole
            break


def test_asking_for_more_ends() -> None:
    """A main header that never ends is given up at 64 KiB."""
    endless = FRAME[:TLM_AT] + b"\xff\x64\xff\xff" + bytes(0xFFFD) + b"\xff\x64\xff\xff"
    found, asked = parse(endless[:10]), 0
    while isinstance(found, More):
        assert found.size > asked
        asked = found.size
        found = parse(endless.ljust(1 << 20, b"\0")[:asked])
        assert asked <= 1 << 16
    assert found is None


def test_a_frame_that_is_shorter_than_it_says() -> None:
    assert parse(FRAME, told(FRAME).ends[-1]) is not None
    assert parse(FRAME, told(FRAME).ends[-1] - 1) is None


def test_jpeg_2000_without_tlm_tells_nothing() -> None:
    made = transcode_frame(content(PICTURE, "ramp"), PICTURE, uids.EXPLICIT_LE, JPEG_2000_LOSSLESS)
    assert parse(made.data, len(made.data)) is None


@pytest.mark.parametrize("head", [b"\xff\xd8\xff\xf7", b"\0\0", b"P5", b"\xff\x90"])
def test_other_streams_tell_nothing(head: bytes) -> None:
    assert parse(head) is None


@pytest.mark.parametrize("head", [b"", b"\xff", b"\xff\x4f"])
def test_too_little_to_tell(head: bytes) -> None:
    assert isinstance(parse(head), More)


def with_tlm(style: int, entries: bytes) -> bytes:
    segment = struct.pack(">HHBB", 0xFF55, 4 + len(entries), 0, style) + entries
    return FRAME[:TLM_AT] + segment + FRAME[SOT_AT:]


LENGTHS = [20, 30, 40, 50, 60, 70]
TLMS = {
    "no tile numbers": (0x40, b"".join(struct.pack(">I", n) for n in LENGTHS), False),
    "one byte of tile number": (0x50, b"".join(struct.pack(">BI", 0, n) for n in LENGTHS), True),
    "two bytes of tile number": (0x60, b"".join(struct.pack(">HI", 0, n) for n in LENGTHS), True),
    "lengths of 16 bits": (0x10, b"".join(struct.pack(">BH", 0, n) for n in LENGTHS), True),
    "a second tile": (0x50, b"".join(struct.pack(">BI", n == 40, n) for n in LENGTHS), False),
    "one part too few": (0x50, b"".join(struct.pack(">BI", 0, n) for n in LENGTHS[1:]), False),
    "one part too many": (0x50, b"".join(struct.pack(">BI", 0, n) for n in [*LENGTHS, 20]), False),
    "a part shorter than its marker": (0x50, b"".join(struct.pack(">BI", 0, n - 10) for n in LENGTHS), False),
    "an entry cut": (0x50, b"".join(struct.pack(">BI", 0, n) for n in LENGTHS)[:-1], False),
    "a style that is not defined": (0x70, bytes(36), False),
    "nothing": (0x50, b"", False),
}


@pytest.mark.parametrize("name", TLMS)
def test_tlm_styles(name: str) -> None:
    style, entries, right = TLMS[name]
    found = parse(with_tlm(style, entries))
    if not right:
        assert found is None
        return
    assert isinstance(found, Resolutions)
    assert [
        end - begin for begin, end in zip((found.header, *found.ends), found.ends, strict=False)
    ] == LENGTHS


def test_lengths_in_several_tlm_segments_are_one_list() -> None:
    halves = [
        struct.pack(">HHBB", 0xFF55, 4 + 15, number, 0x50)
        + b"".join(struct.pack(">BI", 0, n) for n in LENGTHS[3 * number : 3 * number + 3])
        for number in (0, 1)
    ]
    assert told(FRAME[:TLM_AT] + b"".join(halves) + FRAME[SOT_AT:]).ends[-1] - sum(LENGTHS) == TLM_AT + 42


@given(st.binary(max_size=300))
def test_anything_is_answered(junk: bytes) -> None:
    parse(junk)
    parse(b"\xff\x4f" + junk)
    parse(FRAME[:60] + junk)


@given(st.data())
def test_damaged_headers_are_answered_within_the_frame(data: st.DataObject) -> None:
    head = bytearray(FRAME[: SOT_AT + 12])
    for _ in range(data.draw(st.integers(1, 3))):
        head[data.draw(st.integers(0, len(head) - 1))] = data.draw(st.integers(0, 255))
    found = parse(bytes(head), len(FRAME))
    if isinstance(found, Resolutions):
        assert list(found.ends) == sorted(found.ends)
        assert 0 < found.header < found.ends[0]
        assert found.ends[-1] <= len(FRAME)
