"""The one way out, straight through the use case."""

from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ExplicitVRBigEndian

from pacs.dicom.uids import InstanceKey
from pacs.errors import Invalid, NotFound
from pacs.ingest.receipt import Stored
from pacs.retrieve.selection import Wanted
from pacs.runtime import Archive
from tests.contract.conftest import ME, Opener, put
from tests.support.factory import ct_series

FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def keep(archive: Archive, name: str) -> tuple[InstanceKey, pydicom.Dataset]:
    receipt = put(archive, (FILES / name).read_bytes())
    assert isinstance(receipt, Stored)
    return receipt.key, pydicom.dcmread(FILES / name)


def whole(archive: Archive, key: InstanceKey, path: str, *part: int) -> bytes:
    with archive.retrieve.bulkdata(ME, key, path) as value:
        return b"".join(value.chunks(*part))


def test_big_endian_values_are_given_little_endian(archive: Archive) -> None:
    key, big = keep(archive, "MR_small_bigendian.dcm")
    assert big.file_meta.TransferSyntaxUID == ExplicitVRBigEndian
    expected = pydicom.dcmread(FILES / "MR_small.dcm").PixelData
    assert whole(archive, key, "7FE00010") == expected
    assert whole(archive, key, "7FE00010", 3, 10) == expected[3:13]
    with archive.retrieve.frames(ME, key, (1,)) as frames:
        assert b"".join(b"".join(frame.chunks) for frame in frames) == expected


def test_values_inside_sequences_by_their_path(archive: Archive) -> None:
    key, ecg = keep(archive, "waveform_ecg.dcm")
    assert whole(archive, key, "54000100/1/54001010") == ecg.WaveformSequence[0].WaveformData
    for missing in ("54000100/9/54001010", "54000100/1/00100010", "54000100", "00991234"):
        with pytest.raises(NotFound):
            archive.retrieve.bulkdata(ME, key, missing)
    for wrong in ("PixelData", "7FE00010/", "../index.db", "54000100/0/54001010", ""):
        with pytest.raises(Invalid):
            archive.retrieve.bulkdata(ME, key, wrong)


def test_values_behind_encapsulated_pixel_data(archive: Archive) -> None:
    key, _ = keep(archive, "MR_small_RLE.dcm")  # ends with Data Set Trailing Padding
    assert whole(archive, key, "7FE00010").startswith(b"\xfe\xff\x00\xe0")


def test_deflated_objects_give_frames_and_values(archive: Archive) -> None:
    key, deflated = keep(archive, "image_dfl.dcm")
    assert whole(archive, key, "7FE00010") == deflated.PixelData
    with archive.retrieve.frames(ME, key, (1,)) as frames:
        (frame,) = frames
        assert b"".join(frame.chunks) == deflated.PixelData[: frame.length]


def test_frame_numbers_that_are_none(archive: Archive) -> None:
    (item,) = ct_series(1)
    put(archive, item.part10())
    key = InstanceKey(item.study, item.series, item.instance)
    with pytest.raises(Invalid):
        archive.retrieve.frames(ME, key, (0,))
    with pytest.raises(NotFound):
        archive.retrieve.frames(ME, key, (1, 2))
    with pytest.raises(NotFound):
        archive.retrieve.frames(ME, InstanceKey("1.2", item.series, item.instance), (1,))


def test_chosen_in_order_beyond_one_chunk(opened: Opener) -> None:
    archive = opened(toml='[store]\ndurability = "process-crash"')
    items = ct_series(505, rows=2, columns=2)
    for item in reversed(items):
        put(archive, item.part10())
    chosen = archive.retrieve.choose(ME, Wanted(studies=(items[0].study,)))
    assert chosen.count == 505
    assert [stored.key.instance for stored in chosen] == [item.instance for item in items]


def test_nothing_named_is_nothing_given(archive: Archive) -> None:
    with pytest.raises(Invalid):
        archive.retrieve.choose(ME, Wanted())
    assert archive.retrieve.choose(ME, Wanted(studies=("1.2.3",))).count == 0
