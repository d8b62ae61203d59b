"""What is wanted, and what the archive holds of it."""

from dataclasses import dataclass

from pacs.dicom.uids import InstanceKey


@dataclass(frozen=True, slots=True)
class Wanted:
    """Unique keys of PS3.4 C.4.2.2.1; an empty tuple admits any value, all empty is Invalid."""

    patients: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An instance as it lies in the archive: a Part 10 file of `size` bytes whose data set begins
    at `dataset_offset`, encoded in `transfer_syntax`. `frames` is 0 without pixel data."""

    key: InstanceKey
    sop_class: str
    transfer_syntax: str
    size: int
    dataset_offset: int
    digest: str
    frames: int
    received_ns: int
