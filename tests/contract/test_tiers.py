"""Moves between the tiers: nothing lost, no wrong bytes, whatever is cut off where."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pacs.dicom.uids import InstanceKey
from pacs.errors import Conflict, NotFound, Unavailable
from pacs.index import lookup
from pacs.retrieve.frameset import FrameSet
from pacs.retrieve.selection import StoredObject
from pacs.runtime import Archive
from pacs.store import packs
from pacs.store.eviction import Evictor
from pacs.store.folder import FolderStore
from pacs.store.s3 import connect
from tests.contract.conftest import ME, Opener, put
from tests.support import s3_server
from tests.support.dicom_object import DicomObject
from tests.support.factory import ct_series, fresh_uid, with_changes
from tests.support.tiers import COLD, HOT, Tiers
from tiering import move, recall
from tiering.move import Mover
from tiering.recall import Recaller


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture
def tiers(archive: Archive, tmp_path: Path) -> Tiers:
    (tmp_path / "cold").mkdir()
    return Tiers(archive, FolderStore(tmp_path / "cold"), tmp_path)


@pytest.fixture
def unclaimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Claims of the dead end at once."""
    monkeypatch.setattr(move, "_CLAIM", 0)


def study(archive: Archive, *sizes: int) -> tuple[DicomObject, ...]:
    """A study of one series of each size."""
    uid = fresh_uid()
    items = tuple(item for size in sizes for item in ct_series(size, study=uid, rows=8, columns=8))
    for item in items:
        put(archive, item.part10())
    return items


def assert_settled(tiers: Tiers, items: Iterable[DicomObject], where: set[str]) -> None:
    assert tiers.differences() == []
    for item in items:
        assert tiers.tiers(item) == where
        assert tiers.is_given(item)


def test_there_and_back(tiers: Tiers, tmp_path: Path) -> None:
    items = study(tiers.archive, 3, 2)
    before = {key: tiers.archive.stores.hot.path(key).stat().st_mtime_ns for key in tiers.hot_files()}
    mover = tiers.mover()
    assert mover.pack_study(items[0].study) == 5
    assert_settled(tiers, items, {HOT, COLD})
    assert mover.evict_study(items[0].study, 0) == 0, "the grace time has not ended"
    assert mover.evict_study(items[0].study, 1 << 62) == sum(len(item.part10()) for item in items)
    assert tiers.hot_files() == set()
    assert_settled(tiers, items, {COLD})

    for stat in tiers.cold.list():
        subprocess.run(["tar", "xf", tmp_path / "cold" / stat.key], cwd=tmp_path, check=True)
    for item in items:
        path = tmp_path / item.study / item.series / f"{item.instance}.dcm"
        assert path.read_bytes() == item.part10()

    assert tiers.recaller().recall_study(items[0].study) == 5
    assert tiers.recaller().recall_study(items[0].study) == 0
    assert_settled(tiers, items, {HOT, COLD})
    after = {key: tiers.archive.stores.hot.path(key).stat().st_mtime_ns for key in tiers.hot_files()}
    assert after == before, "the moment of arrival is kept"
    assert mover.pack_study(items[0].study) == 0, "what is cold already is not sent again"
    mover.evict_study(items[0].study, 1 << 62)
    assert_settled(tiers, items, {COLD})


def test_what_comes_later_is_packed_beside(tiers: Tiers) -> None:
    items = study(tiers.archive, 2)
    tiers.to_cold(items[0].study)
    later = ct_series(2, study=items[0].study, series=items[0].series, rows=8, columns=8)
    for item in later:
        put(tiers.archive, item.part10())
    assert [tiers.tiers(item) for item in later] == [{HOT}, {HOT}]
    tiers.to_cold(items[0].study)
    assert len(list(tiers.cold.list())) == 2
    assert_settled(tiers, (*items, *later), {COLD})


STEPS = ("_begin", "_send", "_verify", "_record", "_forget")
REMOVAL = ("_finish", "_remove_unless_recorded")


def cut(owner: Any, name: str, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends before, or just after, `name` for the first time."""
    real = getattr(owner, name)
    cuts: list[str] = []

    def wrapped(*args: Any, **named: Any) -> Any:
        if when == "before" and not cuts:
            cuts.append(when)
            raise Crash
        result = real(*args, **named)
        if when == "after" and not cuts:
            cuts.append(when)
            raise Crash
        return result

    monkeypatch.setattr(owner, name, wrapped)


@pytest.mark.usefixtures("unclaimed")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        *((Mover, step) for step in STEPS),
        *((Evictor, step) for step in REMOVAL),
        *((packs, step) for step in ("record", "evict", "finish_eviction")),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_move_cut_off_anywhere_is_finished_by_the_next(
    tiers: Tiers, owner: Any, name: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = study(tiers.archive, 2, 2)
    monkeypatch.setattr(Mover, "_claim_until", lambda *_: True)  # the dead give nothing up
    with monkeypatch.context() as patched:
        cut(owner, name, when, patched)
        with pytest.raises(Crash):
            tiers.to_cold(items[0].study)
    assert all(tiers.is_given(item) for item in items)
    tiers.to_cold(items[0].study)
    assert_settled(tiers, items, {COLD})
    assert tiers.hot_files() == set()
    assert len(list(tiers.cold.list())) == 2


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("owner", "name"),
    [(Recaller, "_record"), (Recaller, "_settle"), (packs, "recalled")],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_recall_cut_off_is_put_right(
    tiers: Tiers, owner: Any, name: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = study(tiers.archive, 3)
    tiers.to_cold(items[0].study)
    with monkeypatch.context() as patched:
        cut(owner, name, when, patched)
        with pytest.raises(Crash):
            tiers.recaller().recall_study(items[0].study)
    assert tiers.differences() == []
    assert all(tiers.is_given(item) for item in items)
    tiers.recaller().recall_study(items[0].study)
    assert_settled(tiers, items, {HOT, COLD})


def test_a_process_killed_while_it_recalls(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the file's place and its row: nothing is taken back by the one who died."""
    (tmp_path / "cold").mkdir()
    dying = Tiers(opened(), FolderStore(tmp_path / "cold"), tmp_path)
    items = study(dying.archive, 3)
    dying.to_cold(items[0].study)
    with monkeypatch.context() as patched:
        cut(Recaller, "_record", "before", patched)
        patched.setattr(recall, "withdraw", lambda _db, _hot, _key, spooled: spooled.retain())
        with pytest.raises(Crash):
            dying.recaller().recall_study(items[0].study)
    assert len(dying.hot_files()) == 1
    os.close(dying.archive.stores.spool._lock)  # the kernel does this
    dying.archive.stores.spool._lock = os.open("/dev/null", os.O_RDONLY)
    living = Tiers(opened(), dying.cold, tmp_path)  # recovers as it opens
    assert living.hot_files() == set()
    assert_settled(living, items, {COLD})


def test_superseded_while_it_is_packed(tiers: Tiers, monkeypatch: pytest.MonkeyPatch) -> None:
    items = study(tiers.archive, 3)
    newer = with_changes(items[1], StudyDescription="corrected")
    with monkeypatch.context() as patched:
        real = Mover._verify

        def meanwhile(self: Mover, *args: Any) -> None:
            real(self, *args)
            put(tiers.archive, newer.part10())

        patched.setattr(Mover, "_verify", meanwhile)
        tiers.mover().pack_study(items[0].study)
    assert tiers.tiers(newer) == {HOT}
    tiers.mover().evict_study(items[0].study, 1 << 62)
    assert_settled(tiers, (items[0], items[2]), {COLD})
    assert_settled(tiers, (newer, items[1]), {HOT})


def test_superseded_when_it_is_cold(tiers: Tiers) -> None:
    items = study(tiers.archive, 2)
    tiers.to_cold(items[0].study)
    newer = [with_changes(item, StudyDescription="corrected") for item in items]
    for item in newer:  # two members of one pack become former versions
        put(tiers.archive, item.part10())
    assert_settled(tiers, newer, {HOT})
    assert_settled(tiers, items, {COLD})
    tiers.to_cold(items[0].study)
    assert_settled(tiers, (*newer, *items), {COLD})


def test_a_pack_that_is_gone_keeps_the_hot_copies(tiers: Tiers) -> None:
    items = study(tiers.archive, 2)
    mover = tiers.mover()
    mover.pack_study(items[0].study)
    for stat in list(tiers.cold.list()):
        tiers.cold.delete(stat.key)
    assert mover.evict_study(items[0].study, 1 << 62) == 0
    assert_settled(tiers, items, {HOT})
    tiers.to_cold(items[0].study)
    assert_settled(tiers, items, {COLD})


class Flawed(FolderStore):
    """Damages what is put while `damage` is above zero."""

    damage = 0

    def put(self, key: str, chunks: Iterable[bytes], *, size: int, sha256: str = "") -> None:
        self.damage -= 1
        super().put(key, _damaged(chunks) if self.damage >= 0 else chunks, size=size, sha256=sha256)


def _damaged(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk if len(chunk) < 600 else chunk[:-1] + bytes([chunk[-1] ^ 1])


def test_what_the_bucket_damaged_is_not_recorded(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "cold").mkdir()
    flawed = Flawed(tmp_path / "cold")
    tiers = Tiers(archive, flawed, tmp_path)
    items = study(archive, 2)
    flawed.damage = 2  # a second attempt is made
    with pytest.raises(Conflict):
        tiers.to_cold(items[0].study)
    assert_settled(tiers, items, {HOT})
    tiers.to_cold(items[0].study)
    assert_settled(tiers, items, {COLD})


def test_a_damaged_hot_file_is_carried_nowhere(tiers: Tiers) -> None:
    items = study(tiers.archive, 2)
    path = tiers.archive.stores.hot.path(tiers.places(items[1])[0].key)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(Conflict, match=items[1].instance):
        tiers.to_cold(items[0].study)
    assert list(tiers.cold.list()) == []
    path.unlink()
    with pytest.raises(NotFound):
        tiers.to_cold(items[0].study)
    assert tiers.tiers(items[0]) == {HOT}


def test_damaged_cold_bytes_do_not_become_hot(tiers: Tiers, tmp_path: Path) -> None:
    items = study(tiers.archive, 2)
    tiers.to_cold(items[0].study)
    (place,) = tiers.places(items[1])
    path = tmp_path / "cold" / place.key
    data = bytearray(path.read_bytes())
    data[place.offset + place.length - 1] ^= 1
    path.write_bytes(data)
    with pytest.raises(Conflict):
        tiers.recaller().recall_study(items[0].study)
    assert tiers.tiers(items[1]) == {COLD}
    assert [getattr(found, "kind", found) for found in tiers.differences()] == ["wrong-bytes"]


def test_one_pack_has_one_mover(tiers: Tiers, monkeypatch: pytest.MonkeyPatch) -> None:
    items = study(tiers.archive, 2)
    other = tiers.mover()
    done: list[int] = []
    real = Mover._verify

    def meanwhile(self: Mover, *args: Any) -> None:
        done.append(other.pack_study(items[0].study))
        real(self, *args)

    monkeypatch.setattr(Mover, "_verify", meanwhile)
    assert tiers.mover().pack_study(items[0].study) == 2
    assert done == [0]


def test_a_name_in_use_again_is_not_evicted(tiers: Tiers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dead mover has removed the file, not its note; then the name is given to a new file."""
    items = study(tiers.archive, 1)
    with monkeypatch.context() as patched:
        cut(packs, "finish_eviction", "after", patched)
        with pytest.raises(Crash):
            tiers.to_cold(items[0].study)
    assert list(packs.evicting(tiers.archive.stores.db)) != []
    assert tiers.hot_files() == set()

    def meanwhile(_self: Recaller, item: Any, key: str, size: int) -> bool:
        assert tiers.mover().finish_evictions() == 0, "the new file is not recorded yet"
        assert tiers.hot_files() == {key}
        return real(_self, item, key, size)

    real: Callable[..., bool] = Recaller._record
    monkeypatch.setattr(Recaller, "_record", meanwhile)
    assert tiers.recaller().recall_study(items[0].study) == 1
    assert tiers.mover().finish_evictions() == 1
    assert_settled(tiers, items, {HOT, COLD})


def test_readers_are_never_disturbed(tiers: Tiers) -> None:
    items = study(tiers.archive, 4)
    over = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        while not over.is_set():
            for item in items:
                try:
                    if not tiers.is_given(item):
                        wrong.append(item.instance)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is told below
                    wrong.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(8):
        tiers.to_cold(items[0].study)
        tiers.recaller().recall_study(items[0].study)
    over.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert_settled(tiers, items, {HOT, COLD})


def frames_of(tiers: Tiers, item: DicomObject) -> FrameSet:
    key = InstanceKey(item.study, item.series, item.instance)
    conditions = lookup.where(instances=(item.instance,))
    (row,) = lookup.stream(tiers.archive.stores.db, conditions, lookup.FRAME_COLUMN, *lookup.STORED_COLUMNS)
    stored = StoredObject(key, *row[4:11])
    shape = partial(tiers.archive.retrieve._shape, stored)
    return FrameSet(stored, row[0], (1,), lambda: tiers.open(item), shape)


def test_a_frame_of_a_cold_series_is_one_request_for_its_bytes(opened: Opener, tmp_path: Path) -> None:
    cold = connect(s3_server.shared().fresh_bucket("archive"))
    tiers = Tiers(opened(toml='[store]\ndurability = "process-crash"'), cold, tmp_path)
    items = study(tiers.archive, 300)
    tiers.to_cold(items[0].study)
    gets: list[str] = []
    asked = cold._client.get_object

    def counted(**wanted: Any) -> Any:
        gets.append(wanted["Range"])
        return asked(**wanted)

    cold._client.get_object = counted
    cold._client.head_object = None
    with frames_of(tiers, items[217]) as frames:
        (frame,) = (b"".join(one.chunks) for one in frames)
    assert frame == items[217].dataset[-128:]
    (asked_for,) = gets
    first, last = (int(part) for part in asked_for.removeprefix("bytes=").split("-"))
    assert last - first + 1 == len(frame)


def test_the_cold_tier_is_away(archive: Archive, tmp_path: Path) -> None:
    with s3_server.running() as server:
        tiers = Tiers(archive, connect(server.fresh_bucket(), attempts=2), tmp_path)
        cold, hot = study(archive, 2), study(archive, 2)
        tiers.to_cold(cold[0].study)
        server.stop()
        for _ in range(3):
            with pytest.raises(Unavailable) as away:
                tiers.is_given(cold[0])
            assert away.value.retryable
            assert away.value.hint
        with pytest.raises(Unavailable):
            tiers.to_cold(hot[0].study)
        with pytest.raises(Unavailable):
            tiers.recaller().recall_study(cold[0].study)
        assert_hot(tiers, hot)
        server.start()
        eventually(lambda: tiers.is_given(cold[0]))
        eventually(lambda: tiers.to_cold(hot[0].study))
        assert_settled(tiers, (*cold, *hot), {COLD})


def assert_hot(tiers: Tiers, items: Iterable[DicomObject]) -> None:
    for item in items:
        assert tiers.tiers(item) == {HOT}
        assert tiers.is_given(item)


def eventually(attempt: Callable[[], object]) -> None:
    """Within the breaker's rest and the server's start."""
    pause = threading.Event()
    for left in reversed(range(60)):
        try:
            attempt()
        except Unavailable:
            if not left:
                raise
            pause.wait(0.5)
        else:
            return


def test_the_index_is_made_anew_from_both_tiers(tiers: Tiers) -> None:
    archive = tiers.archive
    cold, hot, both, superseded = (study(archive, 2) for _ in range(4))
    for one in (cold, superseded):
        tiers.to_cold(one[0].study)
    tiers.mover().pack_study(both[0].study)
    newer = with_changes(superseded[0], StudyDescription="corrected")
    put(archive, newer.part10())
    expected = [(item, tiers.places(item)) for item in (*cold, *hot, *both, *superseded, newer)]
    totals = archive.facts(ME)

    tiers.checker().rebuild()
    assert tiers.differences() == []
    for item, places in expected:
        assert tiers.places(item) == places
        assert tiers.is_given(item)
    again = archive.facts(ME)
    assert {name: again[name] for name in ("studies", "instances", "bytes")} == {
        name: totals[name] for name in ("studies", "instances", "bytes")
    }
