"""Every readable file that pydicom's wheel brings, in waves.

Several of the files share a SOP Instance UID with different bytes (one image in many transfer
syntaxes). Their bytes stay as they are; `waves` deals them out so that no wave holds a UID twice.
The first wave is stored and read back, then the second one supersedes it in the same archive, and
so on: each file is compared bit for bit while it is the current version of its instance.
"""

import io
import warnings
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.support.dicom_object import DicomObject, dataset_offset

FOLDERS = ("test_files", "charset_files", "palettes")
NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
INCOMPLETE = frozenset({"MR_truncated.dcm", "rtplan_truncated.dcm"})
"""Cut short on purpose: their last element promises more bytes than the file has."""


def folder() -> Path:
    return Path(pydicom.__file__).parent / "data"


def packaged_files() -> Iterator[Path]:
    for name in FOLDERS:
        yield from sorted(path for path in (folder() / name).rglob("*") if path.is_file())


def guessed_syntax(path: Path) -> UID:
    """The transfer syntax of a file without file meta information, as pydicom reads it."""
    implicit, little = pydicom.dcmread(path, force=True).original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def read(path: Path) -> DicomObject | None:
    """The object in a file, or None when the file is no composite object with its four UIDs."""
    data = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            header = pydicom.dcmread(io.BytesIO(data), force=True, stop_before_pixels=True)
            uids = [str(header.get(keyword, None) or "") for keyword in NEEDED]
            if not all(UID(uid).is_valid for uid in uids):
                return None
            whole = data[128:132] == b"DICM"
            syntax = header.file_meta.get("TransferSyntaxUID") or guessed_syntax(path)
            start = dataset_offset(data) if whole else meta_end(data)
        except (InvalidDicomError, ValueError, TypeError, AttributeError, KeyError, NotImplementedError):
            return None
    name = str(path.relative_to(folder()))
    complete = whole and "TransferSyntaxUID" in header.file_meta
    return DicomObject(
        name, uids[0], uids[1], uids[2], uids[3], str(syntax), data[start:], data if complete else b""
    )


def meta_end(data: bytes) -> int:
    """Where the data set begins in a file without a preamble: after group 2 when there is one."""
    if data[:2] != b"\x02\x00":
        return 0
    buffer = io.BytesIO(b"\0" * 128 + b"DICM" + data)
    return dataset_offset(buffer.getvalue()) - 132


@cache
def objects() -> tuple[DicomObject, ...]:
    """Every readable object, in the order of its file name."""
    found = (read(path) for path in packaged_files() if path.name not in INCOMPLETE)
    return tuple(item for item in found if item is not None)


@cache
def incomplete() -> tuple[DicomObject, ...]:
    found = (read(path) for path in packaged_files() if path.name in INCOMPLETE)
    return tuple(item for item in found if item is not None)


@cache
def waves() -> tuple[tuple[DicomObject, ...], ...]:
    """The objects such that a SOP Instance UID stands at most once in each wave."""
    dealt: defaultdict[int, list[DicomObject]] = defaultdict(list)
    seen: defaultdict[str, int] = defaultdict(int)
    for item in objects():
        dealt[seen[item.instance]].append(item)
        seen[item.instance] += 1
    return tuple(tuple(dealt[number]) for number in sorted(dealt))
