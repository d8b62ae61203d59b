"""Recompression cut off anywhere, overtaken by others, killed at random: the one file or the other, never
wrong bytes to any reader."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Self

import pytest

from pacs.db.connection import Database
from pacs.errors import Unavailable
from pacs.index import catalog, recompressions
from pacs.ingest import recompress as ingest_recompress
from pacs.ingest.receipt import Duplicate
from pacs.ingest.recompress import Fate, Recompressor
from pacs.runtime import Archive
from pacs.store import packs
from pacs.store.eviction import Evictor
from pacs.store.folder import FolderStore
from pacs.store.spool import Spooled
from pacs.store.writer import Writer
from tests.contract.conftest import Opener, put
from tests.support.compressible import Picture, pictures
from tests.support.dicom_object import DicomObject
from tests.support.factory import with_changes
from tests.support.recompressing import (
    AT_ONCE,
    LITTLE,
    RPCL,
    assert_kept,
    file_of,
    given,
    hot_files,
    index_of,
    recompress,
    stored,
)
from tests.support.tiers import COLD, Tiers

TORTURE = os.environ.get("HILUM_TORTURE") == "1"
KILLS = 60 if TORTURE else 5
SEED = int(os.environ.get("HILUM_SEED", "0")) or Random().randrange(1 << 30)


class Crash(BaseException):
    """The process ends here."""


def cut(owner: Any, name: str, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends before, or just after, `name` for the first time."""
    real = getattr(owner, name)

    def wrapped(*args: Any, **named: Any) -> Any:
        if when == "after":
            real(*args, **named)
        raise Crash

    monkeypatch.setattr(owner, name, wrapped)


STEPS = [
    (Recompressor, "_write"),
    (Recompressor, "_settle"),
    (Recompressor, "_swap"),
    (Writer, "put"),
    (catalog, "keep_as"),
    (packs, "leave"),
    (Spooled, "discard"),
    (Evictor, "_finish"),
    (Evictor, "_remove_unless_recorded"),
]


def die(archive: Archive) -> None:
    """As the kernel does: nobody holds the spool's folder any more."""
    os.close(archive.stores.spool._lock)
    archive.stores.spool._lock = os.open("/dev/null", os.O_RDONLY)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("owner", "name"), STEPS, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("rebuilt", [False, True], ids=["", "rebuilt"])
def test_cut_off_anywhere(
    opened: Opener, owner: Any, name: str, when: str, monkeypatch: pytest.MonkeyPatch, *, rebuilt: bool
) -> None:
    dying = opened(toml=AT_ONCE)
    items = pictures(2)
    for item in items:
        put(dying, item.part10())
    with monkeypatch.context() as patched:
        # The dead take nothing back and remove nothing.
        patched.setattr(ingest_recompress, "withdraw", lambda _db, _hot, _key, spooled: spooled.retain())
        if owner is not Spooled:
            patched.setattr(Spooled, "discard", Spooled.close)
        cut(owner, name, when, patched)
        with pytest.raises(Crash):
            recompress(dying, items)
    die(dying)
    archive = opened(toml=AT_ONCE)  # recovers as it opens
    if rebuilt:
        archive.checker.rebuild()
    assert_kept(archive, items)
    recompress_rest(archive, items)
    assert_kept(archive, items)
    for item in items:
        assert stored(archive, item).transfer_syntax == RPCL
        assert isinstance(put(archive, item.part10()), Duplicate)
    assert len(set(archive.stores.hot.walk())) == 2
    assert list(packs.evicting(archive.stores.db)) == []


def recompress_rest(archive: Archive, items: tuple[DicomObject, ...]) -> None:
    for item in items:
        archive.recompressor.one(item.instance)
    archive.evictor.finish()


@pytest.mark.parametrize("kept_notes", [True, False], ids=["index kept", "index lost"])
def test_rebuilt_while_both_files_are_there(opened: Opener, *, kept_notes: bool) -> None:
    archive = opened()
    items = pictures(3)
    for item in items:
        put(archive, item.part10())
    recompress(archive, items)
    assert len(set(archive.stores.hot.walk())) == 6, "the former ones wait for the end of the grace time"
    newer = with_changes(items[0], StudyDescription="corrected")
    put(archive, newer.part10())
    if not kept_notes:
        with archive.stores.db.write() as tx:
            for key in list(packs.evicting(archive.stores.db)):
                packs.finish_eviction(tx, key, lambda: True)
    archive.checker.rebuild()
    assert_kept(archive, (newer, *items[1:]))
    Evictor(archive.stores.db, archive.stores.hot).finish()
    assert_kept(archive, (newer, *items[1:]))
    for item in items:
        assert isinstance(put(archive, item.part10()), Duplicate)


def meanwhile(monkeypatch: pytest.MonkeyPatch, deed: Callable[[], object]) -> None:
    """Somebody else does this between the proof and the swap."""
    real = Recompressor._settle

    def settle(self: Recompressor, *args: Any) -> Any:
        deed()
        return real(self, *args)

    monkeypatch.setattr(Recompressor, "_settle", settle)


def test_superseded_meanwhile(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = opened(toml=AT_ONCE)
    (item,) = pictures(1)
    put(archive, item.part10())
    newer = with_changes(item, StudyDescription="corrected")
    with monkeypatch.context() as patched:
        meanwhile(patched, lambda: put(archive, newer.part10()))
        assert archive.recompressor.one(item.instance).fate is Fate.PASSED
    assert_kept(archive, [newer])
    assert len(hot_files(archive)) == 2
    assert isinstance(put(archive, item.part10()), Duplicate)


def test_recompressed_by_another_meanwhile(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, other = opened(toml=AT_ONCE), opened(toml=AT_ONCE)
    (item,) = pictures(1)
    put(archive, item.part10())
    fates: list[Fate] = []
    with monkeypatch.context() as patched:
        real = Recompressor._settle

        def settle(self: Recompressor, *args: Any) -> Any:
            if self is archive.recompressor:
                fates.append(other.recompressor.one(item.instance).fate)
            return real(self, *args)

        patched.setattr(Recompressor, "_settle", settle)
        fates.append(archive.recompressor.one(item.instance).fate)
    assert fates == [Fate.DONE, Fate.PASSED]
    archive.evictor.finish()
    assert_kept(archive, [item])
    assert len(set(archive.stores.hot.walk())) == 1


def test_packed_meanwhile_or_being_packed(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = opened(toml=AT_ONCE)
    (tmp_path / "cold").mkdir()
    tiers = Tiers(archive, FolderStore(tmp_path / "cold"), tmp_path)
    items = pictures(2)
    for item in items:
        put(archive, item.part10())
    with monkeypatch.context() as patched:
        meanwhile(patched, lambda: tiers.mover().pack_study(items[0].study))
        assert archive.recompressor.one(items[0].instance).fate is Fate.PASSED
    with monkeypatch.context() as patched:  # claimed: not even begun
        patched.setattr(packs, "is_claimed", lambda *_: True)
        patched.setattr(Recompressor, "_attempt", lambda *_: pytest.fail("begun"))
        assert archive.recompressor.one(items[1].instance).fate is Fate.PASSED
    tiers.to_cold(items[0].study)
    assert archive.recompressor.one(items[1].instance).fate is Fate.PASSED
    assert [tiers.is_given(item) for item in items] == [True, True]
    assert tiers.differences() == []


def test_recompressed_objects_move_to_the_cold_tier_and_back(opened: Opener, tmp_path: Path) -> None:
    archive = opened(toml=AT_ONCE)
    (tmp_path / "cold").mkdir()
    tiers = Tiers(archive, FolderStore(tmp_path / "cold"), tmp_path)
    items = pictures(3)
    for item in items:
        put(archive, item.part10())
    recompress(archive, items)
    tiers.to_cold(items[0].study)
    assert tiers.hot_files() == set()
    (place,) = tiers.places_of(stored(archive, items[0]))
    assert place.tier == COLD
    index = index_of(archive)
    tiers.checker().rebuild()
    assert index_of(archive) == index
    assert isinstance(put(archive, items[0].part10()), Duplicate)
    assert tiers.recaller().recall_study(items[0].study) == 3
    assert_kept(archive, items, tiers.checker())


def test_the_index_goes_away_at_the_swap(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = opened(toml=AT_ONCE)
    (item,) = pictures(1)
    put(archive, item.part10())

    def away(_self: Database, _work: object) -> None:
        raise Unavailable("the index cannot be reached")

    with monkeypatch.context() as patched:
        patched.setattr(Database, "transact", away)
        with pytest.raises(Unavailable):
            archive.recompressor.one(item.instance)
    assert_kept(archive, [item])
    assert len(set(archive.stores.hot.walk())) == 1
    recompress(archive, [item])
    assert_kept(archive, [item])


def test_a_decoder_of_another_make_decides(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = opened(toml=AT_ONCE)
    (item,) = pictures(1)
    put(archive, item.part10())
    with monkeypatch.context() as patched:
        patched.setattr("pacs.ingest.recompress.registry.second_decoder", lambda _uid: None)
        with pytest.raises(Unavailable):
            archive.recompressor.one(item.instance)
    with monkeypatch.context() as patched:
        patched.setattr("pacs.ingest.recompress.prove", lambda *_: False)
        assert archive.recompressor.one(item.instance).reason == "a second decoder reads other samples"
    assert_kept(archive, [item])
    with archive.stores.db.read() as tx:
        assert recompressions.candidate(tx, item.instance) is None


WORKER = """
import json, sys
from pacs.config import load
from pacs.runtime import open_archive

archive = open_archive(load(sys.argv[1], {}, json.loads(sys.argv[2])))
print("ready", flush=True)
for outcome in archive.recompressor.every():
    archive.evictor.finish()
    print(outcome.fate, flush=True)
archive.evictor.finish()
archive.close()
"""


class Readers:
    """They look at everything again and again, by object and by frame; whatever is wrong is kept."""

    def __init__(self, archive: Archive, items: tuple[DicomObject, ...]) -> None:
        self._archive = archive
        self._items = items
        self._over = threading.Event()
        self.wrong: list[object] = []
        self.looks = 0
        self._threads = [threading.Thread(target=self._look, args=(n,)) for n in range(3)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _look(self, number: int) -> None:
        deal = Random(number)
        while not self._over.is_set():
            item = deal.choice(self._items)
            try:
                if not self._is_right(item, deal):
                    self.wrong.append(item.instance)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told below
                self.wrong.append(error)
            self.looks += 1

    def _is_right(self, item: DicomObject, deal: Random) -> bool:
        chosen = stored(self._archive, item)
        if deal.random() < 0.5:
            time.sleep(deal.uniform(0, 0.1))  # it may change its form before it is opened
        if deal.random() < 0.3:
            return given(self._archive, item) == item.dataset
        file = file_of(self._archive, chosen)
        if chosen.transfer_syntax in LITTLE:
            return file == item.part10()
        return hashlib.sha256(file[chosen.dataset_offset :]).hexdigest() == chosen.digest


@pytest.mark.torture
@pytest.mark.timeout(3600 if TORTURE else 300)
def test_killed_at_random_with_readers_at_it(
    opened: Opener, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deal, toml = Random(SEED), AT_ONCE
    archive = opened(toml=toml)
    overrides = {"data": str(tmp_path / "a")}
    if archive.config.index.url:
        overrides["index.url"] = archive.config.index.url
    items: tuple[DicomObject, ...] = ()
    kills = looks = 0
    for _ in range(KILLS):
        more = pictures(6, Picture(rows=256, columns=256))
        for item in more:
            put(archive, item.part10())
        items += more
        with Readers(archive, items) as readers:
            kills += killed(toml, overrides, deal)
            archive.recover()
        looks += readers.looks
        assert readers.wrong == [], f"HILUM_SEED={SEED}"
        assert list(archive.checker.check(deep=True)) == [], f"HILUM_SEED={SEED}"
    with Readers(archive, items) as readers:
        recompress_rest(archive, items)
    assert readers.wrong == []
    assert_kept(archive, items)
    assert all(stored(archive, item).transfer_syntax == RPCL for item in items)
    assert len(set(archive.stores.hot.walk())) == len(items)
    with capsys.disabled():
        print(f"\n{kills} kills while {len(items)} objects were recompressed, {looks} looks, none wrong")


def killed(toml: str, overrides: dict[str, str], deal: Random) -> int:
    """Killed while it has at least one object to do; whether it was still at work."""
    command = [sys.executable, "-c", WORKER, toml, json.dumps(overrides)]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    try:
        assert worker.stdout is not None
        for _ in range(1 + deal.randrange(6)):
            assert worker.stdout.readline()
        time.sleep(deal.uniform(0, 0.06))
        return worker.poll() is None
    finally:
        worker.kill()
        worker.communicate()
