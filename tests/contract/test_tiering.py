"""The rounds of the tiers: rules to plan to moves, holds, reading, and a cold tier that is away."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pacs import clock
from pacs.config import ColdConfig, TierConfig, TierRule
from pacs.errors import NotFound, Unavailable
from pacs.runtime import Archive
from pacs.store import care
from pacs.store.blobs import Stat
from pacs.store.care import Reads
from pacs.store.folder import FolderStore
from tests.contract.conftest import put
from tests.support.dicom_object import DicomObject
from tests.support.factory import ct_series
from tests.support.tiers import COLD, HOT, Tiers
from tiering.plan import Act
from tiering.service import Tiering, hold

EVERYTHING = TierConfig((TierRule("everything"),))


class Moody(FolderStore):
    """A cold tier that can be away."""

    away = False

    def stat(self, key: str) -> Stat | None:
        self._there()
        return super().stat(key)

    def put(self, key: str, chunks: Iterable[bytes], *, size: int, sha256: str = "") -> None:
        self._there()
        super().put(key, chunks, size=size, sha256=sha256)

    def ranged(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        self._there()
        return super().ranged(key, offset, length)

    def _there(self) -> None:
        if self.away:
            raise Unavailable("the cold tier cannot be reached")


@dataclass(frozen=True, slots=True)
class Setting:
    tiers: Tiers
    cold: Moody

    def tiering(self, config: TierConfig = EVERYTHING, *, grace: float = 0.0) -> Tiering:
        cold = ColdConfig(bucket="b", grace_seconds=grace)
        archive = self.tiers.archive
        return Tiering(archive.stores.db, self.tiers.mover(), self.tiers.recaller(), config, cold)

    def study(self, count: int = 2) -> tuple[DicomObject, ...]:
        items = ct_series(count, rows=8, columns=8)
        for item in items:
            put(self.tiers.archive, item.part10())
        return items

    def where(self, *studies: tuple[DicomObject, ...]) -> list[set[str]]:
        assert self.tiers.differences() == []
        assert all(self.tiers.is_given(item) for items in studies for item in items)
        return [self.tiers.tiers(items[0]) for items in studies]


@pytest.fixture
def setting(archive: Archive, tmp_path: Path) -> Setting:
    (tmp_path / "cold").mkdir()
    cold = Moody(tmp_path / "cold")
    return Setting(Tiers(archive, cold, tmp_path), cold)


def test_a_round_does_what_the_plan_says(setting: Setting) -> None:
    studies = [setting.study() for _ in range(3)]
    tiering = setting.tiering()
    hold(tiering._db, studies[1][0].study, "in a trial")
    assert {step.study for step in tiering.plan()} == {studies[0][0].study, studies[2][0].study}
    assert all(step.reason == "rule everything" for step in tiering.plan())
    done = tiering.run()
    assert (done.packed, done.failed, done.freed_bytes > 0) == (2, 0, True)
    assert setting.where(*studies) == [{COLD}, {HOT}, {COLD}]
    assert tiering.plan() == []
    status = tiering.status()
    assert (status.hot_studies, status.cold_studies, status.held, status.both_bytes) == (1, 2, 1, 0)
    hold(tiering._db, studies[1][0].study, "")
    hold(tiering._db, studies[0][0].study, "needed in theatre")
    done = tiering.run()
    assert (done.recalled, done.packed) == (1, 1)
    assert setting.where(*studies) == [{HOT, COLD}, {COLD}, {COLD}]
    with pytest.raises(NotFound):
        hold(tiering._db, "1.2.3", "x")


def test_the_grace_time(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    items = setting.study()
    tiering = setting.tiering(grace=3600)
    tiering.run()
    tiering.run()
    assert setting.where(items) == [{HOT, COLD}]
    (step,) = tiering.plan()
    assert step.act is Act.EVICT
    assert step.not_before_ns > clock.now_ns()
    later = clock.now_ns() + 3601 * 10**9
    monkeypatch.setattr(clock, "now_ns", lambda: later)
    assert tiering.run().evicted == 1
    assert setting.where(items) == [{COLD}]


def test_a_study_that_is_read_comes_back(setting: Setting) -> None:
    read, unread = setting.study(), setting.study()
    tiering = setting.tiering()
    tiering.run()
    assert tiering.run_recent().recalled == 0
    Reads(setting.tiers.archive.stores.db).note(read[0].study)
    assert tiering.run_recent().recalled == 1
    assert setting.where(read, unread) == [{HOT, COLD}, {COLD}]
    assert tiering.run().evicted == 0, "it has been read a moment ago"


def test_being_read_is_noted_once_a_minute(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    (item,) = setting.study(1)
    db = setting.tiers.archive.stores.db
    reads, noted, now = Reads(db), [], clock.now_ns()
    for seconds in (0, 1, 59, 61):
        monkeypatch.setattr(clock, "now_ns", lambda at=now + seconds * 10**9: at)
        reads.note(item.study)
        with db.read() as tx:
            found = care.study(tx, item.study)
        assert found is not None
        noted.append((found.last_read_ns - now) // 10**9)
    assert noted == [0, 0, 0, 61]


def test_notes_outlive_a_rebuilt_index(setting: Setting) -> None:
    (item,) = setting.study(1)
    tiering = setting.tiering()
    hold(tiering._db, item.study, "in a trial")
    setting.tiers.checker().rebuild()
    assert tiering.plan() == []


def test_a_cold_tier_that_is_away_postpones_and_harms_nothing(setting: Setting) -> None:
    studies = [setting.study() for _ in range(3)]
    setting.cold.away = True
    done = setting.tiering().run()
    assert (done.packed, done.failed) == (0, 1)
    setting.cold.away = False
    assert setting.where(*studies) == [{HOT}] * 3
    assert setting.tiering().run().packed == 3
    assert setting.where(*studies) == [{COLD}] * 3


def test_one_damaged_study_does_not_stop_the_others(setting: Setting) -> None:
    good, bad = setting.study(), setting.study()
    path = setting.tiers.archive.stores.hot.path(setting.tiers.places(bad[0])[0].key)
    path.write_bytes(path.read_bytes()[:-1] + b"\0\0")
    done = setting.tiering().run()
    assert (done.packed, done.failed) == (1, 1)
    assert setting.tiers.tiers(good[0]) == {COLD}
    assert setting.tiers.tiers(bad[0]) == {HOT}


def test_a_watermark(setting: Setting) -> None:
    studies = [setting.study() for _ in range(4)]
    each = sum(len(item.part10()) for item in studies[0])
    rules = TierConfig((TierRule("full", hot_above_bytes=3 * each + 500),))
    assert setting.tiering(rules).run().packed == 1
    assert setting.where(*studies) == [{COLD}, {HOT}, {HOT}, {HOT}]
    assert setting.tiering(rules).plan() == []


def test_a_round_stops_when_told(setting: Setting) -> None:
    studies = [setting.study(1) for _ in range(3)]
    asked = iter([False, True])
    assert setting.tiering().run(stop=lambda: next(asked)).packed == 1
    assert sorted(map(sorted, setting.where(*studies))) == [[COLD], [HOT], [HOT]]
