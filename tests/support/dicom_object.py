"""A DICOM object as a modality holds it: UIDs, transfer syntax and the encoded data set."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

SENDER_CLASS = UID("1.2.826.0.1.3680043.10.1337.1")


@dataclass(frozen=True, slots=True)
class DicomObject:
    """`dataset` is exactly what follows the file meta information, in `transfer_syntax`.
    `file` holds the original file when there is one with a preamble, else nothing."""

    name: str
    study: str
    series: str
    instance: str
    sop_class: str
    transfer_syntax: str
    dataset: bytes
    file: bytes = b""

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.dataset).hexdigest()

    def part10(self) -> bytes:
        """The file as a modality would write it: its own one when it has one."""
        return self.file or part10_prefix(self.sop_class, self.instance, self.transfer_syntax) + self.dataset

    def path(self, prefix: str = "") -> str:
        """Its resource below the DICOMweb root (PS3.18 10.1)."""
        return f"{prefix}/studies/{self.study}/series/{self.series}/instances/{self.instance}"


def part10_prefix(sop_class: str, instance: str, transfer_syntax: str) -> bytes:
    """Preamble and file meta information (PS3.10 7.1)."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(instance)
    meta.TransferSyntaxUID = UID(transfer_syntax)
    meta.ImplementationClassUID = SENDER_CLASS
    buffer = DicomBytesIO()
    buffer.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(buffer, meta)
    return bytes(buffer.getvalue())


def dataset_offset(data: bytes) -> int:
    """Where the data set begins in a Part 10 file, by pydicom's own reader."""
    buffer = io.BytesIO(data)
    read_preamble(buffer, force=False)
    _read_file_meta_info(buffer)
    return buffer.tell()


def dataset_of(data: bytes | Path) -> bytes:
    """The encoded data set of a Part 10 file."""
    whole = data.read_bytes() if isinstance(data, Path) else data
    return whole[dataset_offset(whole) :]
