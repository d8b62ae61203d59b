"""A value of an object on the cold tier costs its own bytes and the beginning of the object, no more."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from pacs.dicom.uids import InstanceKey
from pacs.index import lookup
from pacs.retrieve import bulk
from pacs.retrieve.selection import StoredObject
from pacs.runtime import Archive
from pacs.store.folder import FolderStore
from tests.contract.conftest import put
from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, as_object, ct_dataset, fresh_uid
from tests.support.pictures import Kind, noise, picture
from tests.support.tiers import Tiers

BEGINNING = 1 << 16
RLE = "1.2.840.10008.1.2.5"


@pytest.fixture
def tiers(archive: Archive, tmp_path: Path) -> Tiers:
    (tmp_path / "cold").mkdir()
    return Tiers(archive, FolderStore(tmp_path / "cold"), tmp_path)


def with_values(size: int) -> DicomObject:
    """2 MiB of pixels, and values of `size` bytes before them, behind them and inside a sequence."""
    ds = ct_dataset(
        fresh_uid(), fresh_uid(), 1, patient=Patient(), rows=1024, columns=1024, pixels=b"\1\2" * (1 << 20)
    )
    item = Dataset()
    item.add_new(0x54001010, "OW", b"\5\6" * (size // 2))
    ds.WaveformSequence = Sequence([Dataset(), item])
    ds.add_new(0x00420011, "OB", b"\3\4" * (size // 2))
    ds.add_new(0x7FE10010, "LO", "BEHIND")
    return as_object(ds)


def value(tiers: Tiers, item: DicomObject, path: str) -> bytes:
    with tiers.archive.stores.db.read() as tx:
        key = InstanceKey(item.study, item.series, item.instance)
        row = lookup.one(tx, key, lookup.FRAME_COLUMN, *lookup.STORED_COLUMNS)
    stored = StoredObject(key, *row[4:11])
    tiers.asked.clear()
    with bulk.find(tiers.open(item), stored, path, row[0]) as found:
        return b"".join(found.chunks())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("7FE00010", b"\1\2" * (1 << 20)),
        ("00420011", b"\3\4" * 1000),
        ("54000100/2/54001010", b"\5\6" * 1000),
    ],
)
def test_only_what_is_needed_is_fetched(tiers: Tiers, path: str, expected: bytes) -> None:
    item = with_values(2000)
    put(tiers.archive, item.part10())
    tiers.to_cold(item.study)
    assert value(tiers, item, path) == expected
    assert sum(one.length for one in tiers.asked) <= BEGINNING + len(expected)
    assert len(tiers.asked) <= 4


def test_a_value_far_from_the_beginning(tiers: Tiers) -> None:
    item = with_values(300_000)
    put(tiers.archive, item.part10())
    tiers.to_cold(item.study)
    assert value(tiers, item, "54000100/2/54001010") == b"\5\6" * 150_000
    assert sum(one.length for one in tiers.asked) < 2 << 20 < len(item.part10())
    assert value(tiers, item, "7FE10010") == b"BEHIND"


def test_encapsulated_pixels_need_no_walk_through_their_items(tiers: Tiers) -> None:
    item = picture(noise(40, 64, 64, bits=8), Kind(8), syntax=RLE)
    put(tiers.archive, item.part10())
    tiers.to_cold(item.study)
    pixels = value(tiers, item, "7FE00010")
    assert item.dataset.endswith(pixels)
    assert pixels[:4] == b"\xfe\xff\x00\xe0"
    assert len(tiers.asked) <= 4
