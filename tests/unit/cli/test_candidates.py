"""What `pacs import` looks at."""

import os
from pathlib import Path

import pydicom
import pytest

from pacs.cli.candidates import Candidate, Kind, find, kind_of, shown
from pacs.dicom.header import part10_prefix
from pacs.errors import Invalid

PACKAGED = Path(pydicom.__file__).parent / "data" / "test_files"
OBJECT = part10_prefix(sop_class="1.2.3", sop_instance="1.2.4", transfer_syntax="1.2.840.10008.1.2.1")
DIRECTORY = part10_prefix(
    sop_class="1.2.840.10008.1.3.10", sop_instance="1.2.4", transfer_syntax="1.2.840.10008.1.2.1"
)


def nowhere(path: Path, error: OSError) -> None:
    raise AssertionError(f"{path}: {error}")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (OBJECT, Kind.OBJECT),
        (DIRECTORY, Kind.DICOMDIR),
        (OBJECT[132:], Kind.OBJECT),
        (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", Kind.OBJECT),
        (b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100", Kind.OBJECT),
        (b"\x00\x08\x00\x05\x00\x00\x00\x0aISO_IR 100", Kind.OBJECT),
        (b"", Kind.OTHER),
        (b"DICM", Kind.OTHER),
        (b"Hello, this is a letter." * 20, Kind.OTHER),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 300, Kind.OTHER),
        (b"\0" * 1000, Kind.OTHER),
    ],
)
def test_kinds(head: bytes, kind: Kind, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(head)
    assert kind_of(tmp_path / "x") is kind


@pytest.mark.parametrize("name", ["DICOMDIR", "dicomdir"])
def test_a_dicomdir_by_its_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(OBJECT)
    assert kind_of(tmp_path / name) is Kind.DICOMDIR


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_everything_packaged_that_pydicom_reads_is_seen_as_an_object() -> None:
    seen = 0
    for path in sorted(PACKAGED.rglob("*.dcm")):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"])
        except (pydicom.errors.InvalidDicomError, AttributeError):
            continue
        if "SOPInstanceUID" in header:
            assert kind_of(path) is Kind.OBJECT, path.name
            seen += 1
    assert seen > 50


def test_folders_are_searched_in_order_and_links_to_folders_not_entered(tmp_path: Path) -> None:
    for name in ("b/2", "b/10", "a/x", "c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    (tmp_path / "d").symlink_to(tmp_path / "c")
    os.mkfifo(tmp_path / "pipe")
    found = list(find([tmp_path, tmp_path / "c"], nowhere))
    assert [str(item.path.relative_to(tmp_path)) for item in found] == ["a/x", "b/10", "b/2", "c", "d", "c"]
    assert found[-1] == Candidate(tmp_path / "c", 2, named=True)
    assert not found[0].named


def test_what_cannot_be_looked_at_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "nothing")
    (tmp_path / "b").symlink_to(tmp_path / "b")
    (tmp_path / "c").write_bytes(b"1")
    told: list[str] = []
    found = list(find([tmp_path], lambda path, _error: told.append(path.name)))
    assert [item.path.name for item in found] == ["c"]


def test_a_typed_path_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="does not exist"):
        list(find([tmp_path / "x"], nowhere))


def test_names_that_are_not_text_can_be_shown() -> None:
    shown(Path(os.fsdecode(b"/x/\xff"))).encode()
