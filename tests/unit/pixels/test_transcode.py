"""Whole objects in other transfer syntaxes, read again by pydicom."""

import io
import struct
import subprocess
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from pacs.dicom import header, uids
from pacs.errors import Invalid, NotAcceptable
from pacs.pixels import part10, registry, syntaxes
from pacs.pixels.convert import decode_frame
from pacs.pixels.frames import FrameTable, Read
from pacs.pixels.layout import Strided
from pacs.pixels.shape import FrameShape
from pacs.pixels.syntaxes import HTJ2K_RPCL, JPEG_2000_LOSSLESS, JPEG_BASELINE, JPEG_LS, NATIVE
from pacs.pixels.transcode import Stored, plan
from tests.unit.pixels.frame_population import content, shape
from tests.unit.pixels.stored_objects import read, sample, samples, stored, transcoded, written

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom on values of the packaged files

TARGETS = sorted(registry.encodable())
COMPRESSED = sorted(registry.encodable() - NATIVE)
LITTLE = sorted(NATIVE - {uids.EXPLICIT_BE})
PIXEL_GROUP, IMAGE = 0x7FE0, 0x0028
MAY_CHANGE = {0x00280004, 0x00280006, 0x00282110}


def made(
    wanted: FrameShape,
    syntax: str = uids.EXPLICIT_LE,
    *,
    count: int = 1,
    **more: object,
) -> bytes:
    """A Part 10 file of `count` frames, native or encapsulated, by pydicom."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7.2")
    dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7.2", "1.2.3.4"
    dataset.PatientName = "Transcode^Test"
    dataset.Rows, dataset.Columns = wanted.rows, wanted.columns
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = wanted.samples, wanted.photometric
    if wanted.samples > 1:
        dataset.PlanarConfiguration = wanted.planar
    dataset.BitsAllocated, dataset.BitsStored = wanted.bits_allocated, wanted.bits_stored
    dataset.HighBit, dataset.PixelRepresentation = wanted.high_bit, int(wanted.signed)
    dataset.NumberOfFrames = count
    frames = [content(wanted, "noise", number) for number in range(count)]
    value = b"".join(frames)
    dataset.add_new(0x7FE00010, "OW", value + bytes(len(value) % 2))
    for keyword, extra in more.items():
        setattr(dataset, keyword, extra)
    return saved(dataset)


def saved(dataset: Dataset) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def elements(dataset: Dataset, *, implicit: bool) -> dict[int, object]:
    """Values by tag; in Implicit VR the VRs of private elements are not told and their bytes count."""
    return {
        int(element.tag): element.value
        for element in dataset
        if element.tag.group != PIXEL_GROUP
        and element.tag.element != 0
        and not (implicit and element.tag.is_private)
        and int(element.tag) not in MAY_CHANGE
    }


@pytest.mark.parametrize("name", samples())
def test_packaged_files(name: str) -> None:
    """Every one into every syntax: refused with a reason, or every other value as it was."""
    file = sample(name)
    before, source = read(file), stored(file)
    for target in set(TARGETS) - {source.transfer_syntax}:
        try:
            after = read(written(file, plan(source, target)))
        except NotAcceptable as error:
            print(f"{name} -> {syntaxes.NAMES[target]}: {error}")
            assert target not in NATIVE or name == "JPEG2000-embedded-sequence-delimiter.dcm"
            continue
        assert after.file_meta.TransferSyntaxUID == target
        implicit = target == uids.IMPLICIT_LE or source.walk.implicit
        assert elements(after, implicit=implicit) == elements(before, implicit=implicit)


def pixels_of(file: bytes) -> list[bytes]:
    """Frames of a file decoded to native, colour by pixel."""
    source = stored(file)
    assert source.table is not None
    found, wanted = [], FrameShape.of(source.walk)
    syntax = uids.EXPLICIT_LE if source.table.native else source.transfer_syntax
    for number in range(source.table.count):
        frame = b"".join(source.read(*piece) for piece in source.table.ranges(number))
        frame = source.table.deliver(number, frame)
        found.append(decode_frame(frame, wanted, syntax).cells.tobytes())
    return found


@settings(max_examples=60, deadline=None)
@given(
    samples_=st.sampled_from([1, 3]),
    bits=st.sampled_from([(8, 8), (16, 12), (16, 16)]),
    signed=st.booleans(),
    count=st.integers(1, 4),
    source=st.sampled_from(TARGETS),
    target=st.sampled_from(TARGETS),
    spool=st.booleans(),
)
def test_there_and_back(
    samples_: int,
    bits: tuple[int, int],
    signed: bool,  # noqa: FBT001
    count: int,
    source: str,
    target: str,
    spool: bool,  # noqa: FBT001
) -> None:
    wanted = shape(5, 7, samples_, *bits, signed=signed)
    original = made(wanted, count=count)
    data = original
    for step in (source, target, uids.EXPLICIT_LE):
        now = stored(inflated(data))
        if step != now.transfer_syntax:
            data = written(inflated(data), plan(now, step), io.BytesIO() if spool else None)
    assert elements(read(data), implicit=True) == elements(read(original), implicit=True)
    assert read(data).PhotometricInterpretation == read(original).PhotometricInterpretation
    assert read(data).PixelData == read(original).PixelData


def inflated(file: bytes) -> bytes:
    """What the store does before it hands out a deflated object."""
    meta = header.read_meta(memoryview(file))
    if meta.transfer_syntax != uids.DEFLATED_LE:
        return file
    return file[: meta.dataset_offset] + zlib.decompress(file[meta.dataset_offset :], -zlib.MAX_WBITS)


@pytest.mark.parametrize("target", COMPRESSED)
def test_pydicom_divides_and_decodes_it(target: str) -> None:
    wanted = shape(20, 30, 3, 8, 8)
    original = made(wanted, count=3)
    for scratch in (None, io.BytesIO()):
        file = transcoded(original, target, scratch)
        dataset = read(file)
        frames = list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=3))
        assert len(frames) == 3
        assert pixels_of(file) == pixels_of(original)
        if target != JPEG_LS:  # no decoder of its own here
            assert np.array_equal(dataset.pixel_array, read(original).pixel_array)


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize(("target", "tool"), [(JPEG_LS, "dcmdjpls"), (uids.RLE, "dcmdrle")])
@pytest.mark.parametrize("colours", [1, 3])
def test_dcmtk_decodes_it(target: str, tool: str, colours: int, tmp_path: Path) -> None:
    wanted = shape(21, 33, colours, 8 if colours == 3 else 16, 8 if colours == 3 else 16)
    original = made(wanted, count=3)
    (tmp_path / "made.dcm").write_bytes(transcoded(original, target, io.BytesIO()))
    subprocess.run([tool, tmp_path / "made.dcm", tmp_path / "decoded.dcm"], check=True, capture_output=True)
    decoded = (tmp_path / "decoded.dcm").read_bytes()
    assert pixels_of(decoded) == pixels_of(original)


def offsets_of(file: bytes) -> tuple[int, ...]:
    return tuple(pydicom.encaps.parse_basic_offsets(read(file).PixelData))


def test_offset_table() -> None:
    one, three = made(shape()), made(shape(), count=3)
    assert offsets_of(transcoded(one, HTJ2K_RPCL)) == (0,)
    assert offsets_of(transcoded(three, HTJ2K_RPCL)) == ()
    table = offsets_of(transcoded(three, HTJ2K_RPCL, io.BytesIO()))
    file = transcoded(three, HTJ2K_RPCL, io.BytesIO())
    value = read(file).PixelData
    assert len(table) == 3
    for offset in table:
        assert value[8 + 12 + offset :][:4] == b"\xfe\xff\x00\xe0"


def test_extended_offset_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacs.pixels.encapsulate._LARGEST_OFFSET", 100)
    file = transcoded(made(shape(20, 20), count=3), HTJ2K_RPCL, io.BytesIO())
    dataset = read(file)
    assert offsets_of(file) == ()
    offsets = struct.unpack("<3Q", dataset.ExtendedOffsetTable)
    lengths = struct.unpack("<3Q", dataset.ExtendedOffsetTableLengths)
    assert offsets[0] == 0
    assert all(b - a == 8 + n + n % 2 for a, b, n in zip(offsets, offsets[1:], lengths, strict=False))
    found = pydicom.encaps.generate_frames(
        dataset.PixelData, extended_offsets=(list(offsets), list(lengths)), number_of_frames=3
    )
    assert [len(frame) for frame in found] == list(lengths)
    again = transcoded(file, uids.EXPLICIT_LE)
    assert "ExtendedOffsetTable" not in read(again)
    assert pixels_of(again) == pixels_of(made(shape(20, 20), count=3))


def test_sizes_that_are_known() -> None:
    one, three = stored(made(shape())), stored(made(shape(), count=3))
    assert plan(one, HTJ2K_RPCL).size() is not None
    assert plan(three, HTJ2K_RPCL).size() is None
    assert plan(three, uids.IMPLICIT_LE).size() is not None
    assert plan(three, uids.DEFLATED_LE).size() is None
    squeezed = transcoded(made(shape(), count=3), JPEG_LS)
    for target in (uids.IMPLICIT_LE, uids.EXPLICIT_LE):
        assert plan(stored(squeezed), target).size() is not None


@pytest.mark.parametrize("target", TARGETS)
def test_instance_uid_and_syntax(target: str) -> None:
    original = made(shape()) if target != uids.EXPLICIT_LE else transcoded(made(shape()), JPEG_LS)
    dataset = read(transcoded(original, target))
    assert dataset.file_meta.TransferSyntaxUID == target
    assert dataset.SOPInstanceUID == dataset.file_meta.MediaStorageSOPInstanceUID == "1.2.3.4"


LOSSY_FILES = [
    ("SC_rgb_dcmtk_+eb+cy+np.dcm", "YBR_FULL_422"),
    ("SC_rgb_dcmtk_+eb+cy+n1.dcm", "YBR_FULL"),
    ("SC_rgb_jpeg_dcmtk.dcm", "YBR_FULL"),
    ("examples_ybr_color.dcm", "YBR_FULL_422"),
    ("SC_rgb_gdcm_KY.dcm", "RGB"),
]


@pytest.mark.parametrize(("name", "photometric"), LOSSY_FILES)
@pytest.mark.parametrize("target", [uids.IMPLICIT_LE, uids.EXPLICIT_LE, HTJ2K_RPCL, JPEG_LS])
def test_once_lossy_always_lossy(name: str, photometric: str, target: str) -> None:
    before, after = read(sample(name)), read(transcoded(sample(name), target))
    assert before.PhotometricInterpretation == photometric
    assert after.LossyImageCompression == "01"
    assert after.SOPInstanceUID == before.SOPInstanceUID
    assert after.PlanarConfiguration == 0
    assert after.PhotometricInterpretation == ("YBR_RCT" if target == HTJ2K_RPCL else "RGB")
    for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        assert before.get(keyword) == after.get(keyword)


@pytest.mark.parametrize(
    ("name", "lossy"),
    [
        ("JPEGLSNearLossless_16.dcm", "01"),  # says nothing itself, but is
        ("J2K_pixelrep_mismatch.dcm", None),
        ("examples_jpeg2k.dcm", "00"),
        ("MR_small_RLE.dcm", None),
    ],
)
def test_lossy_image_compression(name: str, lossy: str | None) -> None:
    assert read(transcoded(sample(name), uids.EXPLICIT_LE)).get("LossyImageCompression") == lossy


def test_component_transform_is_named_and_undone() -> None:
    original = made(shape(samples=3, allocated=8, stored=8))
    squeezed = transcoded(original, JPEG_2000_LOSSLESS)
    assert read(squeezed).PhotometricInterpretation == "YBR_RCT"
    assert read(transcoded(squeezed, uids.RLE)).PhotometricInterpretation == "RGB"


def test_colour_by_plane_comes_back_by_pixel() -> None:
    original = made(shape(samples=3, allocated=8, stored=8, planar=1), count=2)
    squeezed = transcoded(original, JPEG_LS)
    assert read(squeezed).PlanarConfiguration == 0
    assert pixels_of(squeezed) == pixels_of(original)
    assert read(transcoded(original, uids.IMPLICIT_LE)).PlanarConfiguration == 1  # nothing was touched


def test_half_the_chroma_stays_as_it_is_natively() -> None:
    original = sample("SC_ybr_full_422_uncompressed.dcm")
    after = read(transcoded(original, uids.IMPLICIT_LE))
    assert after.PixelData == read(original).PixelData
    assert after.PhotometricInterpretation == "YBR_FULL_422"


@pytest.mark.parametrize("name", ["liver_expb_1frame.dcm", "rtdose_expb.dcm", "MR_small_bigendian.dcm"])
def test_big_endian(name: str) -> None:
    for target in LITTLE:
        little = read(transcoded(sample(name), target))
        twin = {"MR_small_bigendian.dcm": "MR_small.dcm"}.get(name, name.replace("_expb", ""))
        assert little.PixelData == read(sample(twin)).PixelData


@pytest.mark.parametrize("target", [uids.EXPLICIT_BE, syntaxes.JPEG_2000, JPEG_BASELINE, "1.2.3"])
def test_not_written(target: str) -> None:
    with pytest.raises(NotAcceptable):
        plan(stored(made(shape())), target)


def test_nothing_to_do() -> None:
    with pytest.raises(ValueError, match="nothing"):
        plan(stored(made(shape())), uids.EXPLICIT_LE)


def test_refused_before_anything_is_written() -> None:
    broken = bytearray(transcoded(made(shape(), count=2), JPEG_LS))
    at = broken.index(b"\xff\xd8\xff\xf7")
    broken[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(NotAcceptable):
        plan(stored(bytes(broken)), uids.EXPLICIT_LE)


@pytest.mark.parametrize("frames", [2, 3, 5])
def test_wrong_number_of_frames(frames: int) -> None:
    file = transcoded(made(shape(), count=3), JPEG_LS)
    other = file.replace(b"\x28\x00\x08\x00IS\x02\x003 ", b"\x28\x00\x08\x00IS\x02\x00%d " % frames)
    if frames == 3:
        assert plan(stored(other), uids.EXPLICIT_LE)
        return
    with pytest.raises(NotAcceptable):
        plan(stored(other), uids.EXPLICIT_LE)


def test_without_pixel_data() -> None:
    name = "reportsi.dcm"
    for target in (uids.IMPLICIT_LE, uids.DEFLATED_LE):
        assert read(transcoded(sample(name), target)).SOPInstanceUID == read(sample(name)).SOPInstanceUID
    with pytest.raises(NotAcceptable):
        plan(stored(sample(name)), HTJ2K_RPCL)


def test_float_pixels_are_native_only() -> None:
    original = made(shape(2, 2, allocated=32, stored=32))
    dataset = read(original)
    del dataset.PixelData
    dataset.FloatPixelData = struct.pack("<4f", 1, 2, 3, 4)
    file = saved(dataset)
    assert read(transcoded(file, uids.IMPLICIT_LE)).FloatPixelData == dataset.FloatPixelData
    with pytest.raises(NotAcceptable):
        plan(stored(file), uids.RLE)


def nested() -> bytes:
    """Sequences in sequences, ambiguous and private elements, an empty sequence and an empty item."""
    inner, item = Dataset(), Dataset()
    inner.PixelRepresentation = 1
    inner.SmallestImagePixelValue = -5
    inner.add_new(0x00091001, "LO", "private, nested")
    item.ReferencedSOPInstanceUID = "1.2.3.9"
    item.LUTDescriptor = [256, 7, 16]
    item.SourceImageSequence = Sequence([inner, Dataset()])
    original = read(made(shape(4, 4, signed=False), SmallestImagePixelValue=3, PixelPaddingValue=9))
    original.ReferencedImageSequence = Sequence([item, Dataset()])
    original.DerivationCodeSequence = Sequence([])
    original.private_block(0x0011, "HILUM TEST", create=True).add_new(0x01, "FD", 2.5)
    original.add_new(0x00283006, "OW", b"\x01\x00\x02\x00")
    original.add_new(0x60003000, "OW", b"\xff\x00")
    return saved(original)


def test_nested_sequences_there_and_back() -> None:
    original = nested()
    implicit = transcoded(original, uids.IMPLICIT_LE)
    back = transcoded(implicit, uids.EXPLICIT_LE)
    before, between, after = read(original), read(implicit), read(back)
    for dataset in (between, after):
        assert dataset.PixelPaddingValue == before.PixelPaddingValue
        assert dataset.ReferencedImageSequence[0].SourceImageSequence[0].SmallestImagePixelValue == -5
        assert len(dataset.ReferencedImageSequence) == 2
        assert len(dataset.DerivationCodeSequence) == 0
    assert after["PixelPaddingValue"].VR == "US"
    assert after.ReferencedImageSequence[0].SourceImageSequence[0]["SmallestImagePixelValue"].VR == "SS"
    assert after[0x60003000].VR == "OW"
    assert after[0x00110010].value == "HILUM TEST"
    assert raw(back, 0x00111001) == raw(original, 0x00111001) == struct.pack("<d", 2.5)
    assert vr(back, 0x00111001) == "UN"


def raw(file: bytes, tag: int) -> bytes:
    walk = stored(file).walk
    return header.value(walk.buffer, walk.dataset.elements[tag])


def vr(file: bytes, tag: int) -> str:
    element = stored(file).walk.dataset.elements[tag]
    return file[element.offset - 8 : element.offset - 6].decode()


@pytest.mark.parametrize("name", ["UN_sequence.dcm", "nested_priv_SQ.dcm", "priv_SQ.dcm", "rtplan.dcm"])
def test_sequences_of_packaged_files_there_and_back(name: str) -> None:
    original = sample(name)
    source = stored(original).transfer_syntax
    other = uids.IMPLICIT_LE if source != uids.IMPLICIT_LE else uids.EXPLICIT_LE
    there = transcoded(original, other)
    back = transcoded(there, source if source in NATIVE else uids.EXPLICIT_LE)
    assert read(back) == read(original)
    if name != "UN_sequence.dcm":  # which has what it calls UN walked as items, once it is implicit
        assert flat(stored(back).walk.dataset, back) == flat(stored(original).walk.dataset, original)


def flat(dataset: header.DataSet, file: bytes) -> list[tuple[int, bytes]]:
    """Every value that is no sequence, with its tag."""
    found: list[tuple[int, bytes]] = []
    for element in dataset.elements.values():
        if element.items is None:
            found.append((element.tag, file[element.offset : element.offset + (element.length or 0)]))
        for item in element.items or ():
            found.extend(flat(item, file))
    return found


def test_long_text_of_a_short_vr_becomes_unknown() -> None:
    """Implicit VR has 32 bits for its length, most explicit VRs have 16 (PS3.5 6.2.2)."""
    dataset = read(made(shape()))
    dataset.file_meta.TransferSyntaxUID = UID(uids.IMPLICIT_LE)
    dataset.add_new(0x00081030, "LO", "x" * 70000)
    file = saved(dataset)
    after = transcoded(file, uids.EXPLICIT_LE)
    assert raw(after, 0x00081030) == b"x" * 70000
    assert vr(after, 0x00081030) == "UN"


def test_a_compressed_icon_goes_and_a_native_one_stays() -> None:
    icon = read(made(shape(4, 4, allocated=8, stored=8)))
    native = read(made(shape(20, 20), count=1, IconImageSequence=Sequence([icon])))
    file = saved(native)
    assert "IconImageSequence" in read(transcoded(file, JPEG_LS))
    squeezed = stored(transcoded(file, JPEG_LS)).walk
    value = bytes(squeezed.buffer)
    explicit = value.replace(
        b"\xe0\x7f\x10\x00OW\x00\x00\x10\x00\x00\x00" + raw_icon(file),
        b"\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff"
        b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x02\0\0\0\xff\xd8\xfe\xff\xdd\xe0\0\0\0\0",
    )
    assert explicit != value
    icon_at = explicit.index(b"\x88\x00\x00\x02SQ")
    with_icon = explicit[: icon_at + 8] + struct.pack("<I", 0xFFFFFFFF) + explicit[icon_at + 12 :]
    undefined = close_icon(with_icon, icon_at)
    assert "IconImageSequence" in read(undefined)
    for target in (uids.IMPLICIT_LE, uids.EXPLICIT_LE, HTJ2K_RPCL):
        assert "IconImageSequence" not in read(transcoded(undefined, target))


def raw_icon(file: bytes) -> bytes:
    walk = stored(file).walk
    items = walk.dataset.elements[0x00880200].items
    assert items
    return header.value(walk.buffer, items[0].elements[0x7FE00010])


def close_icon(file: bytes, icon_at: int) -> bytes:
    """The icon's item and sequence with undefined lengths, ended behind its pixels."""
    item = file[: icon_at + 16] + b"\xff\xff\xff\xff" + file[icon_at + 20 :]
    end = item.index(b"\xfe\xff\xdd\xe0\0\0\0\0", icon_at) + 8
    return item[:end] + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0" + item[end:]


def test_file_meta_keeps_everything_else() -> None:
    original = sample("CT_small.dcm")
    prefix = original[: header.read_meta(memoryview(original)).dataset_offset]
    changed = part10.with_syntax(prefix, HTJ2K_RPCL)
    before, after = read(original).file_meta, read(changed + original[len(prefix) :]).file_meta
    assert after.FileMetaInformationGroupLength == len(changed) - 144
    for element in before:
        if element.tag not in {0x00020000, 0x00020010}:
            assert after[element.tag] == element
    assert part10.with_syntax(changed, uids.EXPLICIT_LE) == part10.with_syntax(prefix, uids.EXPLICIT_LE)


@pytest.mark.parametrize("prefix", [b"", b"junk" * 50, bytes(128) + b"DICM"[:3]])
def test_file_meta_that_is_none(prefix: bytes) -> None:
    with pytest.raises(Invalid):
        part10.with_syntax(prefix, HTJ2K_RPCL)


@given(st.binary(max_size=60))
def test_file_meta_of_junk(junk: bytes) -> None:
    try:
        changed = part10.with_syntax(bytes(128) + b"DICM" + junk, HTJ2K_RPCL)
    except Invalid:
        return
    assert header.read_meta(memoryview(changed)).transfer_syntax == HTJ2K_RPCL


@pytest.mark.parametrize("target", [HTJ2K_RPCL, JPEG_LS, uids.IMPLICIT_LE])
def test_one_frame_at_a_time(target: str) -> None:
    """40 frames of 512 KiB: what is held does not grow with their number."""
    wanted = shape(512, 512)
    frame = content(wanted, "ramp")
    small = stored(made(wanted, count=1))
    source = many(small, frame, 40)
    tracemalloc.start()
    size = sum(len(chunk) for chunk in plan(source, target).chunks())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 40
    assert peak < 8 << 20


def many(small: Stored, frame: bytes, count: int) -> Stored:
    """The object of one frame as if it had `count`, each read as the same bytes."""
    pixels = small.walk.dataset.elements[0x7FE00010]
    frames = small.walk.dataset.elements[0x00280008]
    buffer = bytearray(small.walk.buffer)
    buffer[frames.offset : frames.offset + 2] = b"%2d" % count
    pixels.length = count * len(frame)
    table = FrameTable(Strided(pixels.offset, count, 8 * len(frame), 1), 0, complete=True)
    walk = replace(small.walk, buffer=memoryview(bytes(buffer)))
    return Stored(walk, table, repeating(pixels.offset, frame), small.transfer_syntax)


def repeating(begin: int, frame: bytes) -> Read:
    def at(offset: int, count: int) -> bytes:
        first = (offset - begin) % len(frame)
        return (frame[first:] + frame * (count // len(frame) + 1))[:count]

    return at
