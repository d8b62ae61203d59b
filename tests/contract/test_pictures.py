"""Pictures and thumbnails through the use case, on each index."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedSRStorage

from pacs.auth.actor import Actor, Role
from pacs.dicom.uids import InstanceKey
from pacs.errors import Forbidden, Invalid, NotAcceptable, NotFound, Unavailable
from pacs.outbox.crew import Crew
from pacs.outbox.subscriber import enrol, serve
from pacs.retrieve.selection import Wanted
from pacs.retrieve.view import Form, View, Viewport
from pacs.runtime import Archive
from tests.contract.conftest import ME, Opener, put
from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, as_object, ct_dataset, fresh_uid, with_changes

STUDY, SERIES = fresh_uid(), fresh_uid()
PNG = View(Form.PNG)


def flat(value: int, number: int, *, series: str = SERIES, study: str = STUDY, **more: object) -> DicomObject:
    """An image of one value, whose thumbnail tells it: the window is its own 8 bits."""
    pixels = np.full((40, 60), value, "<i2").tobytes()
    ds = ct_dataset(study, series, number, patient=Patient(), rows=40, columns=60, pixels=pixels)
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = 127.5, 255, "LINEAR_EXACT"
    for keyword, given in more.items():
        setattr(ds, keyword, given)
    return as_object(ds)


def report(number: int = 1, *, series: str = SERIES, study: str = STUDY) -> DicomObject:
    ds: Dataset = ct_dataset(study, series, number, patient=Patient(), rows=1, columns=1, pixels=b"\0\0")
    del ds.PixelData, ds.Rows, ds.Columns
    ds.Modality, ds.SOPClassUID = "SR", EnhancedSRStorage
    return as_object(ds)


def keep(archive: Archive, *items: DicomObject) -> None:
    for item in items:
        put(archive, item.part10())


def value_of(picture: bytes) -> int:
    cells = np.asarray(Image.open(io.BytesIO(picture)))
    assert cells.min() + 2 >= cells.max()
    return int(np.median(cells))


def series_thumbnail(archive: Archive, series: str = SERIES) -> int:
    found = archive.pictures.representative(ME, Wanted(studies=(STUDY,), series=(series,)))
    return value_of(archive.pictures.thumbnail(found, PNG))


def kept_files(archive: Archive) -> list[Path]:
    return sorted((archive.config.data / "renditions").rglob("*.jpg"))


def key_of(item: DicomObject) -> InstanceKey:
    return InstanceKey(item.study, item.series, item.instance)


def test_the_middle_of_a_series_stands_for_it(archive: Archive) -> None:
    keep(archive, *(flat(10 * number, number) for number in (5, 1, 3, 2, 4)), report(3))
    assert series_thumbnail(archive) == 30


def test_the_largest_series_stands_for_a_study(archive: Archive) -> None:
    localiser, volume, reports = fresh_uid(), fresh_uid(), fresh_uid()
    keep(archive, flat(200, 1, series=localiser, SeriesNumber=1))
    keep(archive, *(flat(50 + number, number, series=volume, SeriesNumber=2) for number in (1, 2, 3)))
    keep(archive, *(report(number, series=reports) for number in range(1, 6)))
    found = archive.pictures.representative(ME, Wanted(studies=(STUDY,)))
    assert found.stored.key.series == volume
    assert value_of(archive.pictures.thumbnail(found, PNG)) == 52


def test_what_has_no_pictures_says_so(archive: Archive) -> None:
    item = report()
    keep(archive, item)
    for wanted in (Wanted(studies=(STUDY,)), Wanted(studies=(STUDY,), series=(SERIES,))):
        found = archive.pictures.representative(ME, wanted)
        with pytest.raises(NotAcceptable, match="no pixels"):
            archive.pictures.thumbnail(found, View())
        icon = Image.open(io.BytesIO(archive.pictures.icon(found, PNG)))
        assert icon.size == (256, 256)
        assert np.asarray(icon).max() > 100  # something is written there
    with pytest.raises(NotAcceptable, match="no pixels"):
        archive.pictures.find(ME, key_of(item))


def test_a_series_that_grows_has_another_thumbnail(archive: Archive) -> None:
    keep(archive, flat(10, 1))
    assert series_thumbnail(archive) == 10
    keep(archive, flat(20, 2), flat(30, 3))
    assert series_thumbnail(archive) == 20


def test_a_superseded_object_is_never_seen_again(archive: Archive) -> None:
    before = flat(10, 1)
    keep(archive, before)
    assert series_thumbnail(archive) == 10
    after = with_changes(before, PixelData=np.full((40, 60), 99, "<i2").tobytes())
    keep(archive, after)
    assert series_thumbnail(archive) == 99
    assert value_of(archive.pictures.find(ME, key_of(before)).draw(PNG)) == 99
    assert len(kept_files(archive)) == 2


def test_a_kept_thumbnail_needs_no_object(archive: Archive) -> None:
    """Nor the tier that it lies on."""
    keep(archive, flat(77, 1))
    assert series_thumbnail(archive) == 77
    for file in (archive.config.data / "hot").rglob("*.dcm"):
        file.unlink()
    assert series_thumbnail(archive) == 77
    found = archive.pictures.representative(ME, Wanted(studies=(STUDY,)))
    smaller = archive.pictures.thumbnail(found, View(Form.PNG, viewport=Viewport(30, 30, enlarge=False)))
    assert Image.open(io.BytesIO(smaller)).size == (30, 20)
    for file in kept_files(archive):
        file.unlink()
    with pytest.raises((NotFound, Unavailable)):
        series_thumbnail(archive)


def test_sizes(archive: Archive) -> None:
    keep(archive, flat(77, 1, Rows=40, Columns=60))
    found = archive.pictures.representative(ME, Wanted(studies=(STUDY,)))
    for viewport, size in (
        (None, (60, 40)),
        (Viewport(30, 100, enlarge=False), (30, 20)),
        (Viewport(500, 500, enlarge=False), (60, 40)),
    ):
        picture = Image.open(io.BytesIO(archive.pictures.thumbnail(found, View(viewport=viewport))))
        assert (picture.format, picture.size) == ("JPEG", size)
    drawn = archive.pictures.find(ME, found.stored.key).draw(View(viewport=Viewport(500, 500)))
    assert Image.open(io.BytesIO(drawn)).size == (500, 333)


def many_frames(representative: int = 0) -> DicomObject:
    ds = ct_dataset(STUDY, SERIES, 1, patient=Patient(), rows=8, columns=8, pixels=b"")
    ds.NumberOfFrames = 5
    ds.PixelData = b"".join(np.full((8, 8), 10 * number, "<i2").tobytes() for number in range(1, 6))
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = 127.5, 255, "LINEAR_EXACT"
    if representative:
        ds.RepresentativeFrameNumber = representative
    return as_object(ds)


@pytest.mark.parametrize(("named", "shown", "thumbnail"), [(0, 10, 30), (4, 40, 40), (99, 10, 30)])
def test_the_frame_that_stands_for_an_instance(
    archive: Archive, named: int, shown: int, thumbnail: int
) -> None:
    item = many_frames(named)
    keep(archive, item)
    assert value_of(archive.pictures.find(ME, key_of(item)).draw(PNG)) == shown
    assert series_thumbnail(archive) == thumbnail


def test_frames_by_number(archive: Archive) -> None:
    item = many_frames()
    keep(archive, item)
    found = archive.pictures.find(ME, key_of(item), (2, 5))
    assert [value_of(found.draw(PNG, number)) for number in (2, 5)] == [20, 50]
    one = archive.pictures.representative(ME, found_key(item), [4])
    assert value_of(archive.pictures.thumbnail(one, PNG)) == 40
    several = archive.pictures.representative(ME, found_key(item), [5, 1, 2])
    assert value_of(archive.pictures.thumbnail(several, PNG)) == 10, "the middle one of the list"
    named = archive.pictures.representative(ME, found_key(item), [1, 2, 3, 4, 5])
    assert named.number == archive.pictures.representative(ME, found_key(item)).number
    for numbers in ((6,), (1, 6)):
        with pytest.raises(NotFound):
            archive.pictures.find(ME, key_of(item), numbers)
    with pytest.raises(Invalid):
        archive.pictures.find(ME, key_of(item), (0,))
    with pytest.raises(NotFound):
        archive.pictures.representative(ME, found_key(item), [1, 6])


def found_key(item: DicomObject) -> Wanted:
    return Wanted(studies=(item.study,), series=(item.series,), instances=(item.instance,))


def test_nothing_there(archive: Archive) -> None:
    keep(archive, flat(1, 1))
    for wanted in (Wanted(studies=("1.2.3",)), Wanted(studies=(STUDY,), series=("1.2.3",))):
        with pytest.raises(NotFound):
            archive.pictures.representative(ME, wanted)
    with pytest.raises(NotFound):
        archive.pictures.find(ME, InstanceKey(STUDY, SERIES, "1.2.3"))
    with pytest.raises(NotFound):  # there, but not in that series
        archive.pictures.find(ME, InstanceKey(STUDY, "1.2.3", flat(1, 1).instance))


def test_every_look_is_recorded_and_nobody_else_looks(archive: Archive) -> None:
    item = flat(1, 1)
    keep(archive, item)
    sender = Actor("ct-1", frozenset({Role.SENDER}), "10.0.0.9", "dimse")
    with pytest.raises(Forbidden):
        archive.pictures.find(sender, key_of(item))
    with pytest.raises(Forbidden):
        archive.pictures.representative(sender, Wanted(studies=(STUDY,)))
    viewer = Actor("reader", frozenset({Role.VIEWER}), "10.0.0.8", "web")
    for _ in range(3):
        archive.pictures.find(viewer, key_of(item))
        archive.pictures.representative(viewer, Wanted(studies=(STUDY,)))
    looks = [
        (row.actor, row.outcome, row.detail, row.patient_id)
        for row in archive.audit_trail(ME, study_uid=STUDY)
    ]
    assert looks.count(("reader", "ok", "rendered", "SYN-1")) == 1
    assert looks.count(("reader", "ok", "thumbnail", "SYN-1")) == 1
    refused = [row for row in archive.audit_trail(ME) if row.outcome == "forbidden"]
    assert {row.detail for row in refused} == {"rendered", "thumbnail"}


def work_off(archive: Archive, crew: Crew) -> None:
    enrol(archive.stores.db, crew._subscribers)
    for chore in crew._chores:
        if chore.name == "settle":
            settle = chore.work
    for _ in range(200):
        moved = [serve(archive.stores.db, subscriber) for subscriber in crew._subscribers]
        if not settle() and not any(moved):
            return
    raise AssertionError("the crew never came to rest")


def test_thumbnails_are_made_when_a_study_has_settled(opened: Opener) -> None:
    archive = opened(toml="[reading]\nquiet_seconds = 0.1\n")
    other, reports = fresh_uid(), fresh_uid()
    keep(archive, *(flat(10 * number, number) for number in (1, 2, 3)), flat(90, 1, series=other))
    keep(archive, report(series=reports))
    crew = archive.crew()
    deadline = 200
    while len(kept_files(archive)) < 2 and deadline:
        work_off(archive, crew)
        deadline -= 1
    made = kept_files(archive)
    assert len(made) == 2
    for file in (archive.config.data / "hot").rglob("*.dcm"):
        file.unlink()
    assert series_thumbnail(archive) == 20
    assert series_thumbnail(archive, other) == 90
    assert not [row for row in archive.audit_trail(ME) if row.detail == "thumbnail" and row.actor != ME.name]


def test_they_can_be_made_again(archive: Archive) -> None:
    others = [fresh_uid() for _ in range(3)]
    keep(archive, flat(10, 1), *(flat(20, 1, series=fresh_uid(), study=study) for study in others))
    told: list[int] = []
    assert archive.renditions.rebuild(told.append) == 4
    assert told == [1, 2, 3, 4]
    before = {file.name: file.read_bytes() for file in kept_files(archive)}
    for file in kept_files(archive):
        file.unlink()
    assert archive.renditions.rebuild(told.append) == 4
    assert {file.name: file.read_bytes() for file in kept_files(archive)} == before
    held, budget = archive.renditions.status()
    assert (held.files, held.bytes, budget) == (4, sum(map(len, before.values())), 2_000_000_000)


def test_without_a_budget_all_works_and_nothing_is_kept(opened: Opener) -> None:
    archive = opened(toml="[renditions]\nbudget_bytes = 0\nthumbnail_edge = 32\n")
    keep(archive, flat(10, 1))
    assert series_thumbnail(archive) == 10
    assert archive.renditions.rebuild(lambda _: None) == 0
    assert not kept_files(archive)
