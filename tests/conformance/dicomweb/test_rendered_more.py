"""What rendered resources give beside one plain picture: studies and series, words in the picture, colour
profiles, moving pictures, reports and documents."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageCms

from pacs.config import Config
from pacs.pixels.codecs import icc
from pacs.pixels.codecs.icc import Space
from tests.conformance.dicomweb.conftest import running
from tests.support import phantoms
from tests.support import reading_material as material
from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, as_object, with_changes
from tests.support.web_client import Web, parts_of

WHO = Patient("Müller^Jürgen^^Dr.", "P-77", "19551231", "M")
PNG = "image/png"
JPEGS = "multipart/related; type=image/jpeg"


@dataclass(frozen=True, slots=True)
class Stored:
    root: str
    slices: tuple[DicomObject, ...]
    report: DicomObject
    structures: DicomObject
    letter: DicomObject
    clip: DicomObject
    foreign: DicomObject
    profiled: DicomObject

    @property
    def ct(self) -> DicomObject:
        return self.slices[0]

    @property
    def study(self) -> str:
        return f"{self.root}/studies/{self.ct.study}"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    with running(Config(data=tmp_path_factory.mktemp("rendered"))) as url:
        root = f"{url}/dicom-web"
        ct = phantoms.ct(4, rows=256, columns=320, patient=WHO)
        clip = phantoms.colour_clip(5, rows=120, columns=160, patient=WHO).item
        foreign = with_changes(ct[0].item, PatientName="山田^太郎", SOPInstanceUID="1.2.3.4.5")
        made = Stored(
            root, tuple(picture.item for picture in ct), material.report(ct), material.structures(ct),
            material.document(WHO), clip, foreign, _profiled(clip),
        )  # fmt: skip
        everything = (
            *made.slices, made.report, made.structures, made.letter, clip, made.foreign, made.profiled
        )  # fmt: skip
        assert Web(root).store(everything).status == 200
        yield made


def _profiled(clip: DicomObject) -> DicomObject:
    """A still of its own study whose colours are those of ROMM RGB."""
    return with_changes(
        clip, StudyInstanceUID="1.2.3.7", SeriesInstanceUID="1.2.3.8", SOPInstanceUID="1.2.3.9",
        ICCProfile=icc.profile(Space.ROMM_RGB), ColorSpace="ROMMRGB",
    )  # fmt: skip


def ask(url: str, accept: str = "*/*", **headers: str) -> httpx.Response:
    return httpx.get(url, headers={"Accept": accept, **headers}, timeout=60)


def picture(answer: httpx.Response) -> "Image.Image":
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


def cells(answer: httpx.Response) -> Any:
    return np.asarray(picture(answer)).astype(int)


def test_a_study_and_a_series_are_a_picture_of_each_instance(stored: Stored) -> None:
    series = f"{stored.study}/series/{stored.ct.series}"
    for url in (stored.study, series):
        answer = ask(f"{url}/rendered?viewport=64,64&window=40,400", JPEGS)
        parts = parts_of(answer)
        singles = {
            f"{item.path(stored.root)}/rendered": ask(
                f"{item.path(stored.root)}/rendered?viewport=64,64&window=40,400"
            ).content
            for item in (*stored.slices, stored.foreign)
        }
        assert {part.headers["content-location"]: part.body for part in parts} == singles
        assert {part.headers["content-type"] for part in parts} == {"image/jpeg"}
    assert "2 instances have no pixels" in ask(f"{stored.study}/rendered", JPEGS).headers["warning"]
    assert "warning" not in ask(f"{series}/rendered", JPEGS).headers
    every = ask(f"{stored.study}/rendered")
    assert every.headers["content-type"].startswith('multipart/related; type="image/jpeg"')
    pngs = parts_of(ask(f"{series}/rendered", "multipart/related; type=image/png"))
    assert all(part.body.startswith(b"\x89PNG") for part in pngs)


def test_studies_and_series_without_pictures(stored: Stored) -> None:
    report = f"{stored.study}/series/{stored.report.series}/rendered"
    for url in (report, f"{stored.root}/studies/{stored.letter.study}/rendered"):
        answer = ask(url)
        assert answer.status_code == 406
        assert "no instance here has pixels" in answer.json()["detail"]
    assert ask(f"{stored.root}/studies/1.2.3.99/rendered").status_code == 404
    assert ask(f"{stored.study}/rendered", "image/jpeg").status_code == 406
    assert ask(f"{stored.study}/rendered?viewport=0,0").status_code == 400


def test_the_patient_and_the_technique_are_in_the_picture(stored: Stored) -> None:
    url = f"{stored.ct.path(stored.root)}/rendered?viewport=640,512"
    plain = cells(ask(url, PNG))
    half = plain.shape[1] // 2
    changed = {
        words: np.abs(cells(ask(f"{url}&annotation={words}", PNG)) - plain) > 60
        for words in ("patient", "technique", "patient,technique", "technique%2CPatient")
    }
    left, right = changed["patient"], changed["technique"]
    assert left[:, :half].sum() > 200 > left[:, half:].sum() == 0
    assert right[:, half:].sum() > 200 > right[:, :half].sum() == 0
    assert not left[200:].any()
    assert np.array_equal(changed["patient,technique"], left | right)
    assert np.array_equal(changed["technique%2CPatient"], left | right)
    colour = f"{stored.clip.path(stored.root)}/frames/3/rendered?viewport=640,480"
    written = cells(ask(f"{colour}&annotation=patient", PNG))
    assert (np.abs(written - cells(ask(colour, PNG))).sum(axis=2) > 60).sum() > 200


def test_nobody_gets_a_picture_without_the_words_that_were_asked_for(stored: Stored) -> None:
    url = f"{stored.ct.path(stored.root)}/rendered"
    small = ask(f"{url}?annotation=patient,technique&viewport=64,64")
    assert (small.status_code, small.json()["hint"]) == (406, "ask for a larger viewport")
    foreign = ask(f"{stored.foreign.path(stored.root)}/rendered?annotation=patient")
    assert foreign.status_code == 406
    assert "cannot be drawn" in foreign.json()["detail"]
    assert "山" not in foreign.text
    assert ask(f"{stored.foreign.path(stored.root)}/rendered?annotation=technique").status_code == 200


@pytest.mark.parametrize("accept", ["image/jpeg", "image/png"])
@pytest.mark.parametrize(
    ("word", "name"), [("yes", "sRGB"), ("srgb", "sRGB"), ("adobergb", "Adobe RGB"), ("rommrgb", "ROMM RGB")]
)
def test_a_colour_profile_for_who_asks(stored: Stored, accept: str, word: str, name: str) -> None:
    for item in (stored.ct, stored.clip):
        url = f"{item.path(stored.root)}/rendered"
        assert "icc_profile" not in picture(ask(url, accept)).info
        assert "icc_profile" not in picture(ask(f"{url}?iccprofile=no", accept)).info
        found = picture(ask(f"{url}?iccprofile={word}", accept))
        profile = ImageCms.ImageCmsProfile(io.BytesIO(found.info["icc_profile"]))
        assert name in ImageCms.getProfileDescription(profile)
        assert found.mode == "RGB"


def test_colours_stay_the_same_colours(stored: Stored) -> None:
    """The numbers change from space to space; what LittleCMS makes of them does not."""
    url = f"{stored.profiled.path(stored.root)}/rendered"
    own = picture(ask(f"{url}?iccprofile=yes", PNG))
    assert own.info["icc_profile"] == icc.profile(Space.ROMM_RGB)
    assert np.array_equal(np.asarray(own), np.asarray(picture(ask(url, PNG))))
    ours = picture(ask(f"{url}?iccprofile=srgb", PNG))
    assert np.abs(np.asarray(ours).astype(int) - np.asarray(own).astype(int)).max() > 20
    profiles = [ImageCms.ImageCmsProfile(io.BytesIO(one.info["icc_profile"])) for one in (own, ours)]
    expected = ImageCms.profileToProfile(own, profiles[0], profiles[1])
    assert np.array_equal(np.asarray(expected), np.asarray(ours))


def test_a_clip_moves(stored: Stored) -> None:
    url = stored.clip.path(stored.root)
    whole = picture(ask(f"{url}/rendered", "image/gif"))
    assert (whole.format, getattr(whole, "n_frames", 1), whole.size) == ("GIF", 5, (160, 120))
    assert whole.info["duration"] == 40
    some = picture(ask(f"{url}/frames/4,2/rendered?viewport=80,80", "image/gif"))
    assert (getattr(some, "n_frames", 1), some.size) == (2, (80, 60))
    second = np.asarray(some.convert("RGB")).astype(int)
    fourth = cells(ask(f"{url}/frames/4/rendered?viewport=80,80", PNG))
    assert np.abs(second - fourth).mean() < 8
    still = picture(ask(f"{stored.ct.path(stored.root)}/rendered", "image/gif"))
    assert getattr(still, "n_frames", 1) == 1
    assert np.array_equal(
        np.asarray(still.convert("L")), cells(ask(f"{stored.ct.path(stored.root)}/rendered", PNG))
    )
    refused = ask(f"{url}/rendered?iccprofile=srgb", "image/gif")
    assert refused.status_code == 400
    huge = ask(f"{url}/rendered?viewport=4096,4096", "image/gif")
    assert huge.status_code == 406
    assert "too large" in huge.json()["detail"]


def test_a_report_is_read(stored: Stored) -> None:
    url = f"{stored.report.path(stored.root)}/rendered"
    for accept in ("*/*", "text/html", "text/html,application/xhtml+xml,*/*;q=0.8", "text/*"):
        answer = ask(url, accept)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        for words in ("Imaging Measurement Report", "Length: <b>42 mm</b>", "Jürgen", "Mass"):
            assert words in answer.text
        assert answer.text.count("<ul>") == answer.text.count("</ul>") > 2
        assert answer.text.count("<li>") == answer.text.count("</li>")
    plain = ask(url, "text/plain, text/html;q=0.5")
    assert plain.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Length: 42 mm" in plain.text
    assert ask(url, "text/plain", **{"If-None-Match": plain.headers["etag"]}).status_code == 304
    refused = ask(url, "image/jpeg, application/pdf")
    assert (refused.status_code, refused.json()["hint"]) == (406, "can be given: text/html, text/plain")


def test_what_a_report_says_stays_text(stored: Stored) -> None:
    hostile = with_changes(
        stored.report,
        PatientName="<script>alert(1)</script>",
        StudyInstanceUID="1.2.3.60",
        SeriesInstanceUID="1.2.3.63",
        SOPInstanceUID="1.2.3.66",
    )
    assert Web(stored.root).store([hostile]).status == 200
    text = ask(f"{hostile.path(stored.root)}/rendered").text
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_a_document_is_given_as_what_it_is(stored: Stored) -> None:
    url = f"{stored.letter.path(stored.root)}/rendered"
    for accept in ("*/*", "application/pdf", "text/html,application/xhtml+xml,*/*;q=0.8"):
        answer = ask(url, accept)
        assert (answer.status_code, answer.content) == (200, material.red_page())
        assert answer.headers["content-type"] == "application/pdf"
        assert int(answer.headers["content-length"]) == len(material.red_page())
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert ask(url, **{"If-None-Match": answer.headers["etag"]}).status_code == 304
    head = httpx.head(url, headers={"Accept": "application/pdf"})
    assert (head.status_code, head.content) == (200, b"")
    refused = ask(url, "image/png")
    assert (refused.status_code, refused.json()["hint"]) == (406, "can be given: application/pdf")
    icon = ask(f"{stored.letter.path(stored.root)}/thumbnail", PNG)
    assert picture(icon).size == (256, 256)
    assert "no pixels" in icon.headers["warning"]


def test_what_is_neither_seen_nor_read(stored: Stored) -> None:
    answer = ask(f"{stored.structures.path(stored.root)}/rendered")
    assert answer.status_code == 406
    assert "no pixels" in answer.json()["detail"]
    assert "/metadata" in answer.json()["hint"]


def test_a_document_of_an_unknown_kind_is_not_run(stored: Stored) -> None:
    page = with_changes(stored.letter, MIMETypeOfEncapsulatedDocument="text/html", SOPInstanceUID="1.2.3.67")
    assert Web(stored.root).store([page]).status == 200
    assert ask(f"{page.path(stored.root)}/rendered", "text/html").status_code == 406


def test_overlays_of_no_rows_do_no_harm(stored: Stored) -> None:
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(stored.ct.part10()))
    dataset.StudyInstanceUID, dataset.SOPInstanceUID = "1.2.3.61", "1.2.3.68"
    dataset.SeriesInstanceUID = "1.2.3.62"
    dataset.add_new(0x60000010, "US", 0)
    dataset.add_new(0x60000011, "US", 0)
    dataset.add_new(0x60003000, "OW", b"")
    plain = pydicom.Dataset()
    plain.update(dataset)
    item = as_object(plain)
    assert Web(stored.root).store([item]).status == 200
    shown = cells(ask(f"{item.path(stored.root)}/rendered", PNG))
    assert np.array_equal(shown, cells(ask(f"{stored.ct.path(stored.root)}/rendered", PNG)))
