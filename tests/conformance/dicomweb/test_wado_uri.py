"""WADO-URI (PS3.18 9) over HTTP."""

import io

import httpx
import pydicom
import pytest
from PIL import Image

from tests.conformance.dicomweb.conftest import packaged
from tests.support.dicom_object import DicomObject

CT = packaged("CT_small.dcm")
JPEG = packaged("JPEG-lossy.dcm")
REPORT = packaged("test-SR.dcm")
FRAMES = packaged("examples_ybr_color.dcm")
EXPLICIT = "1.2.840.10008.1.2.1"


def ask(url: str, item: DicomObject = CT, /, **more: str) -> httpx.Response:
    names = {"studyUID": item.study, "seriesUID": item.series, "objectUID": item.instance}
    return httpx.get(
        f"{url}/wado", params={"requestType": "WADO"} | names | more, headers={"Accept": "text/html"}
    )


def picture(answer: httpx.Response) -> Image.Image:
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


def test_a_file(filled: str) -> None:
    answer = ask(filled, contentType="application/dicom")
    assert answer.headers["content-type"].startswith("application/dicom")
    assert answer.content == CT.part10()


@pytest.mark.parametrize(
    ("asked", "given"),
    [("", EXPLICIT), (EXPLICIT, EXPLICIT), ("*", JPEG.transfer_syntax), (JPEG.transfer_syntax,) * 2],
)
def test_the_transfer_syntax(filled: str, asked: str, given: str) -> None:
    more = {"transferSyntax": asked} if asked else {}
    answer = ask(filled, JPEG, contentType="application/dicom", **more)
    assert pydicom.dcmread(io.BytesIO(answer.content)).file_meta.TransferSyntaxUID == given


@pytest.mark.parametrize(
    ("item", "kind"), [(CT, "image/jpeg"), (REPORT, "application/dicom"), (FRAMES, "application/dicom")]
)
def test_what_comes_without_a_content_type(filled: str, item: DicomObject, kind: str) -> None:
    answer = ask(filled, item)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("image/jpeg", "JPEG"),
        ("image/png", "PNG"),
        ("image/jpeg;q=0.5, image/png", "PNG"),
        ("image/png;q=0.1,image/jpeg", "JPEG"),
    ],
)
def test_pictures(filled: str, kind: str, form: str) -> None:
    shown = picture(ask(filled, contentType=kind))
    assert (shown.format, shown.size) == (form, (128, 128))


@pytest.mark.parametrize(
    ("more", "size"),
    [
        ({"rows": "64"}, (64, 64)),
        ({"columns": "32"}, (32, 32)),
        ({"rows": "64", "columns": "32"}, (32, 32)),
        ({"region": "0,0,0.5,0.25"}, (64, 32)),
        ({"region": "0.5,0.5,1,1", "rows": "32"}, (32, 32)),
    ],
)
def test_sizes_keep_the_aspect(filled: str, more: dict[str, str], size: tuple[int, int]) -> None:
    assert picture(ask(filled, contentType="image/png", **more)).size == size


def test_windows_and_quality(filled: str) -> None:
    dark = picture(ask(filled, contentType="image/png", windowCenter="3000", windowWidth="10"))
    light = picture(ask(filled, contentType="image/png", windowCenter="-2000", windowWidth="10"))
    assert set(dark.convert("L").tobytes()) == {0}
    assert set(light.convert("L").tobytes()) == {255}
    coarse, fine = (ask(filled, contentType="image/jpeg", imageQuality=q).content for q in ("5", "95"))
    assert len(coarse) < len(fine)


def test_frames_by_number(filled: str) -> None:
    first, second = (
        picture(ask(filled, FRAMES, contentType="image/png", frameNumber=n)) for n in ("1", "20")
    )
    assert first.tobytes() != second.tobytes()
    assert picture(ask(filled, FRAMES, frameNumber="2")).format == "JPEG"
    assert ask(filled, FRAMES, contentType="image/png", frameNumber="31").status_code == 404


def test_the_same_again_is_not_sent(filled: str) -> None:
    for kind in ("image/png", "application/dicom"):
        tag = ask(filled, contentType=kind).headers["etag"]
        names = {"studyUID": CT.study, "seriesUID": CT.series, "objectUID": CT.instance}
        params = {"requestType": "WADO", "contentType": kind} | names
        assert httpx.get(f"{filled}/wado", params=params, headers={"If-None-Match": tag}).status_code == 304
        head = httpx.head(f"{filled}/wado", params=params)
        assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"requestType": "QIDO"}, 400),
        ({"studyUID": ""}, 400),
        ({"seriesUID": "x"}, 400),
        ({"objectUID": "1.2.3"}, 404),
        ({"contentType": "video/mpeg"}, 406),
        ({"contentType": "application/dicom", "transferSyntax": "1.2.840.10008.1.2.4.50"}, 406),
        ({"contentType": "application/dicom", "transferSyntax": "x"}, 400),
        ({"anonymize": "yes"}, 406),
        ({"presentationUID": "1.2"}, 406),
        ({"frameNumber": "0"}, 400),
        ({"frameNumber": "1,2"}, 400),
        ({"rows": "0"}, 400),
        ({"columns": "-1"}, 400),
        ({"windowCenter": "40"}, 400),
        ({"imageQuality": "101"}, 400),
        ({"region": "0,0,2,1"}, 400),
        ({"region": "0.5,0,0.5,1"}, 400),
    ],
)  # fmt: skip
def test_what_cannot_be_given(filled: str, more: dict[str, str], status: int) -> None:
    answer = ask(filled, CT, **more)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_has_no_picture(filled: str) -> None:
    assert ask(filled, REPORT, contentType="image/jpeg").status_code == 406
