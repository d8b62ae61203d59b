"""Plugins as models of an archive: what they are shown, and when their processes begin and end."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pydicom
import pytest
from pydicom.dataset import Dataset

from ai_routing.dispatch import build
from ai_routing.model import Answer, InstanceListed, Job, Reference, SeriesListed
from ai_routing.plugin import PluginModel
from pacs.auth.actor import system
from pacs.config import AiModel, load
from pacs.errors import Invalid, NotAcceptable, Unavailable
from pacs.runtime import Archive, open_archive
from tests.support.factory import Patient, as_object, ct_dataset, fresh_uid
from tests.support.plugins import write

ME = system("test")
FILES = Path(pydicom.__file__).parent / "data" / "test_files"
Make = Callable[..., PluginModel]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = open_archive(load("", {}, {"data": str(tmp_path / "data")}))
    yield opened
    opened.close()


@pytest.fixture
def make(archive: Archive) -> Iterator[Make]:
    made: list[PluginModel] = []

    def model(path: Path, **settings: int) -> PluginModel:
        config = AiModel(name="tested", kind="python", path=str(path), memory_megabytes=512)
        found = build(replace(config, **settings), archive)  # type: ignore[arg-type]
        assert isinstance(found, PluginModel)
        made.append(found)
        return found

    yield model
    for one in made:
        one.close()


def store(archive: Archive, *files: bytes) -> None:
    for file in files:
        with archive.ingest.spool(ME) as spooled:
            spooled.write(file)
            archive.ingest.accept(ME, spooled)


def picture(cells: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]", study: str, number: int = 1) -> Dataset:
    """A slice whose stored values are `cells`."""
    rows, columns = cells.shape
    pixels = cells.astype("<i2").tobytes()
    ds = ct_dataset(
        study, f"{study[:60]}.1", number, patient=Patient(), rows=rows, columns=columns, pixels=pixels
    )
    ds.RescaleSlope, ds.RescaleIntercept = 2, -1024
    return ds


def job(*objects: Dataset, study: str = "1.2", version: str = "") -> Job:
    listed = tuple(InstanceListed(one.SOPInstanceUID, one.SOPClassUID, 1) for one in objects)
    series = (SeriesListed(objects[0].SeriesInstanceUID, "CT", listed),) if objects else ()
    return Job("run", study, "SYN-1", "tested", version, series)


def text_of(answer: Answer) -> str:
    return answer.findings[0].text


def test_it_is_shown_the_acquired_images_of_the_study(archive: Archive, make: Make, tmp_path: Path) -> None:
    study = fresh_uid()
    slices = [picture(np.full((4, 6), 100 * n), study, n) for n in (1, 2, 3)]
    store(archive, *(as_object(one).part10() for one in slices))
    body = """
    def read(study):
        about = lambda p: (p.frame, p.frames, p.modality, p.pixels.shape, float(p.pixels.max()))
        seen = [about(picture) for picture in study.frames()]
        last = list(study.frames())[-1]
        return Answer("1", (FindingSaid("seen", Severity.MILD, 1.0, None, (last.reference(),), str(seen)),))
    """
    answer = make(write(tmp_path, body)).read(job(*slices[:2], study=study))
    seen = [(1, 1, "CT", (4, 6), -824.0), (1, 1, "CT", (4, 6), -624.0)]
    assert text_of(answer) == str(seen), "the third was not listed"
    assert answer.findings[0].references == (Reference(f"{study[:60]}.1", slices[1].SOPInstanceUID),)
    looks = {row.actor: row for row in archive.audit_trail(ME) if row.detail == "samples"}
    assert (looks["ai tested"].study_uid, looks["ai tested"].patient_id) == (study, "SYN-1")


def test_pictures_look_the_same_however_they_are_stored(archive: Archive, make: Make, tmp_path: Path) -> None:
    study = fresh_uid()
    ramp = np.tile(np.arange(128) * 30, (256, 1))
    bright, dark = picture(ramp, study, 1), picture(4095 - ramp, study, 2)
    dark.PhotometricInterpretation = "MONOCHROME1"
    store(archive, as_object(bright).part10(), as_object(dark).part10())
    body = """
    def read(study):
        one, other = study.pictures(32, 32)
        flags = [p.inverted for p in (*study.pictures(8, 8), *study.frames())]
        difference = float(np.abs(one.pixels - other.pixels).max())
        return said(f"{one.pixels.shape} {one.pixels.min()} {one.pixels.max()} {difference:.3f} {flags}")
    """
    answer = make(write(tmp_path, body)).read(job(bright, dark, study=study))
    assert text_of(answer) == "(32, 32) 0.0 1.0 0.000 [False, False, False, True]"


def test_what_cannot_be_decoded_is_left_out(archive: Archive, make: Make, tmp_path: Path) -> None:
    palette = FILES / "examples_palette.dcm"
    store(archive, palette.read_bytes())
    ds = pydicom.dcmread(palette)
    counting = "def read(study): return said(str(sum(1 for _ in study.pictures(8, 8))))"
    assert text_of(make(write(tmp_path, counting)).read(job(ds, study=ds.StudyInstanceUID))) == "0"


def test_the_process_is_kept_until_the_file_changes(make: Make, tmp_path: Path) -> None:
    body = "import os\ndef read(study): return said(f'{} {{os.getpid()}}')"
    file = write(tmp_path, body.format("first"))
    model = make(file)
    first, again = text_of(model.read(job())), text_of(model.read(job()))
    assert first == again
    write(tmp_path, body.format("second one"))
    changed = text_of(model.read(job()))
    assert changed.startswith("second one")
    assert psutil.pid_exists(int(changed.split()[-1]))
    assert not _runs(int(first.split()[-1]))
    model.close()
    assert not _runs(int(changed.split()[-1]))


def test_one_that_was_killed_meanwhile_is_started_again(make: Make, tmp_path: Path) -> None:
    model = make(write(tmp_path, "import os\ndef read(study): return said(str(os.getpid()))"))
    pid = int(text_of(model.read(job())))
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # every thread of it has ended
    assert int(text_of(model.read(job()))) != pid


def test_after_a_hang_it_works_again(make: Make, tmp_path: Path) -> None:
    body = "def read(study):\n    while study.uid == '1.9': pass\n    return NOTHING"
    model = make(write(tmp_path, body), timeout_seconds=3)
    with pytest.raises(Unavailable, match="within 3 seconds"):
        model.read(job(study="1.9"))
    assert model.read(job()) == Answer("1", ())


def test_as_many_at_once_as_configured(make: Make, tmp_path: Path) -> None:
    """Each waits for the other: one after the other they would not come to an end."""
    body = f"""
    import pathlib, time
    def read(study):
        folder = pathlib.Path({str(tmp_path)!r})
        (folder / study.uid).touch()
        while not ((folder / "1.1").exists() and (folder / "1.2").exists()):
            time.sleep(0.01)
        return NOTHING
    """
    model = make(write(tmp_path, body), workers=2, timeout_seconds=60)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(model.read, [job(study="1.1"), job(study="1.2")]))
    assert answers == [Answer("1", ())] * 2


def test_what_does_not_load_is_not_tried_for_every_study(make: Make, tmp_path: Path) -> None:
    counted = tmp_path / "tries"
    body = f"open({str(counted)!r}, 'a').write('x')\nraise ValueError"
    model = make(write(tmp_path, body))
    for _ in range(5):
        with pytest.raises(Unavailable):
            model.read(job())
    assert len(counted.read_text()) < 5


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Answer('', ())", r"model\.version"),
        ("Answer('2', ())", "not the version configured"),
        ("Answer('1', (FindingSaid('n', Severity.MILD, float('nan')),))", "confidence"),
        ("Answer('1', (FindingSaid('n', Severity.MILD, 1.5),))", "confidence"),
        ("Answer('1', (FindingSaid('n' * 65, Severity.MILD, 0.5),))", "name"),
        ("Answer('1', (FindingSaid('n', Severity.MILD, 0.5),) * 101)", "at most 100"),
    ],
)
def test_an_answer_out_of_form_is_refused(make: Make, tmp_path: Path, said: str, why: str) -> None:
    model = make(write(tmp_path, f"def read(study): return {said}"))
    with pytest.raises(Invalid, match=why):
        model.read(job(version="1"))


def test_a_study_it_fails_on_does_not_end_it(make: Make, tmp_path: Path) -> None:
    model = make(write(tmp_path, "def read(study): return NOTHING if study.uid == '1.2' else 1 / 0"))
    with pytest.raises(NotAcceptable, match=r"ZeroDivisionError at model\.py"):
        model.read(job(study="1.3"))
    assert model.read(job()) == Answer("1", ())


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
