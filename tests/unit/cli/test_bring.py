"""`pacs import` against an archive that only remembers."""

from pathlib import Path
from typing import Any, Self

import pytest

from pacs.auth.actor import Actor
from pacs.cli.bring import Tally, take
from pacs.cli.candidates import Candidate, Kind
from pacs.cli.common import local_actor
from pacs.dicom.header import part10_prefix
from pacs.dicom.uids import InstanceKey
from pacs.errors import Unavailable
from pacs.ingest.receipt import Duplicate, Receipt, Refused, Stored, Superseded

KEY = InstanceKey("1", "2", "3")
OBJECT = part10_prefix(sop_class="1.2.3", sop_instance="1.2.4", transfer_syntax="1.2.840.10008.1.2.1")


class Spool:
    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.open = True

    def write(self, piece: memoryview) -> None:
        self.pieces.append(bytes(piece))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.open = False


class Memory:
    """An ingest that gives one answer to everything."""

    def __init__(self, answer: Receipt | Unavailable) -> None:
        self.answer = answer
        self.spools: list[Spool] = []

    def spool(self, actor: Actor, /) -> Spool:
        assert actor.channel == "cli"
        self.spools.append(Spool())
        return self.spools[-1]

    def accept(self, _actor: Actor, spool: Any, /) -> Receipt:
        assert spool.open
        if isinstance(self.answer, Unavailable):
            raise self.answer
        return self.answer


def bring(path: Path, answer: Receipt | Unavailable, *, named: bool = False) -> tuple[Tally, Memory]:
    tally, memory = Tally(), Memory(answer)
    take(memory, local_actor(), Candidate(path, path.stat().st_size, named), tally)
    assert not any(spool.open for spool in memory.spools)
    return tally, memory


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "object"
    path.write_bytes(OBJECT)
    return path


@pytest.mark.parametrize(
    ("receipt", "name"),
    [
        (Stored(KEY, "1", "d"), "stored"),
        (Duplicate(KEY, "1", "d"), "duplicates"),
        (Superseded(KEY, "1", "d"), "superseded"),
        (Refused("truncated", "the file ends early"), "refused"),
    ],
)
def test_receipts_are_counted(receipt: Receipt, name: str, file: Path) -> None:
    tally, memory = bring(file, receipt)
    counts = {key: getattr(tally, key) for key in ("stored", "duplicates", "superseded", "refused")}
    assert counts == {key: int(key == name) for key in counts}
    assert (tally.files, tally.bytes) == (1, len(OBJECT))
    assert b"".join(memory.spools[0].pieces) == OBJECT


def test_big_files_go_in_small_pieces(file: Path) -> None:
    file.write_bytes(OBJECT + bytes(5 * 1024 * 1024))
    _, memory = bring(file, Stored(KEY, "1", "d"))
    assert max(map(len, memory.spools[0].pieces)) <= 1024 * 1024
    assert sum(map(len, memory.spools[0].pieces)) == file.stat().st_size


def test_what_is_not_dicom_is_passed_over_in_folders_and_tried_when_named(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear colleague")
    refused = Refused("not-dicom", "no")
    tally, memory = bring(path, refused)
    assert (tally.skipped[Kind.OTHER], tally.refused, memory.spools) == (1, 0, [])
    tally, memory = bring(path, refused, named=True)
    assert (tally.skipped[Kind.OTHER], tally.refused, len(memory.spools)) == (0, 1, 1)
    assert tally.failures[0].rule == "not-dicom"


def test_a_dicomdir_is_passed_over_in_folders_and_refused_when_named(tmp_path: Path) -> None:
    path = tmp_path / "DICOMDIR"
    path.write_bytes(OBJECT)
    tally, _ = bring(path, Stored(KEY, "1", "d"))
    assert (tally.skipped[Kind.DICOMDIR], tally.refused, tally.stored) == (1, 0, 0)
    tally, memory = bring(path, Stored(KEY, "1", "d"), named=True)
    assert (tally.failures[0].rule, memory.spools) == ("dicomdir", [])


def test_a_file_that_went_away_is_told(file: Path) -> None:
    tally, memory = Tally(), Memory(Stored(KEY, "1", "d"))
    take(memory, local_actor(), Candidate(file.with_name("gone"), 0, named=False), tally)
    assert (tally.refused, tally.failures[0].rule) == (1, "file-error")


def test_an_archive_that_is_away_ends_it(file: Path) -> None:
    with pytest.raises(Unavailable):
        bring(file, Unavailable("full"))


def test_the_list_of_failures_is_bounded() -> None:
    tally = Tally()
    for _ in range(1500):
        tally.fail(Path("x"), "rule", "reason")
    assert (tally.refused, len(tally.failures)) == (1500, 1000)
