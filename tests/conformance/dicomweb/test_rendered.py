"""Rendered resources and thumbnails as clients ask for them (PS3.18 10.4.1.1.3, 8.3.5)."""

import io
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.conformance.dicomweb.conftest import packaged
from tests.support import corpus
from tests.support.dicom_object import DicomObject
from tests.support.web_client import Web, parts_of

CT = packaged("CT_small.dcm")
PALETTE = packaged("examples_palette.dcm")
REPORT = packaged("test-SR.dcm")
FRAMES = packaged("examples_ybr_color.dcm")
DAMAGED = packaged("JPEG2000-embedded-sequence-delimiter.dcm")
NAMES = {value for item in corpus.objects() for value in (item.study, item.series, item.instance)}


def ask(client: httpx.Client, url: str, accept: str | None = None, **headers: str) -> httpx.Response:
    client.headers.pop("accept", None)
    return client.get(url, headers=({"Accept": accept} if accept else {}) | headers)


def opened(answer: httpx.Response) -> "Image.Image":
    assert answer.status_code == 200, answer.text
    image = Image.open(io.BytesIO(answer.content))
    image.load()
    assert answer.headers["content-type"] == f"image/{str(image.format).lower()}"
    assert int(answer.headers["content-length"]) == len(answer.content)
    return image


@pytest.fixture
def rendered(root: str) -> str:
    return CT.path(root) + "/rendered"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "JPEG"),
        ("*/*", "JPEG"),
        ("image/*", "JPEG"),
        ("image/jpeg", "JPEG"),
        ("IMAGE/PNG", "PNG"),
        ("image/jpeg;q=0.5, image/png", "PNG"),
        ("image/png;q=0.4, image/*;q=0.8", "JPEG"),
        ("image/avif,image/webp,image/apng,*/*;q=0.8", "JPEG"),
        ("image/gif", "GIF"),
        ("image/png;q=0.1, image/gif", "GIF"),
    ],
)
@pytest.mark.parametrize("resource", ["rendered", "frames/1/rendered", "thumbnail", "frames/1/thumbnail"])
def test_the_form_that_is_liked_best(
    root: str, client: httpx.Client, resource: str, accept: str | None, form: str
) -> None:
    answer = ask(client, f"{CT.path(root)}/{resource}", accept)
    assert opened(answer).format == form
    assert "Accept" in answer.headers["vary"]
    assert answer.headers["cache-control"] == "private, no-cache"


def test_the_query_parameter_wins_over_the_header(rendered: str, client: httpx.Client) -> None:
    for parameter in ("accept=image/png", "accept=image%2Fpng", "Accept=image%2fpng"):
        assert opened(ask(client, f"{rendered}?{parameter}", "image/jpeg")).format == "PNG"
    assert (
        opened(ask(client, f"{rendered}?viewport=64%2C64&accept=image%2Fjpeg", "image/png")).format == "JPEG"
    )


@pytest.mark.parametrize(
    "accept", ["application/dicom", "image/tiff", "video/mp4", "text/html", "image/jpeg;q=0"]
)
@pytest.mark.parametrize("resource", ["rendered", "thumbnail"])
def test_forms_that_there_are_none_of(root: str, client: httpx.Client, resource: str, accept: str) -> None:
    answer = ask(client, f"{CT.path(root)}/{resource}", accept)
    assert answer.status_code == 406
    assert "image/jpeg" in answer.json()["hint"]


def cells(answer: httpx.Response) -> Any:
    return np.asarray(opened(answer)).astype(int)


def test_windows(rendered: str, client: httpx.Client) -> None:
    """CT_small has slope 1 and intercept -1024."""
    values = corpus_pixels(CT) - 1024.0
    for words, expected in (
        ("40,400,linear", np.clip((values - 39.5) / 399 + 0.5, 0, 1)),
        ("40,400,linear-exact", np.clip((values - 40) / 400 + 0.5, 0, 1)),
        ("40,400,sigmoid", 1 / (1 + np.exp(-4 * (values - 40) / 400))),
    ):
        for spelled in (words, quote(words, safe="")):
            answer = ask(client, f"{rendered}?window={spelled}", "image/png")
            assert np.abs(cells(answer) - expected * 255).max() <= 0.51


def corpus_pixels(item: DicomObject) -> Any:
    import pydicom

    return pydicom.dcmread(io.BytesIO(item.part10())).pixel_array


@pytest.mark.parametrize(
    ("viewport", "size"),
    [("64,64", (64, 64)), ("32,200", (32, 32)), ("300,256", (256, 256)), ("64,64,0,0,64,128", (32, 64))],
)
def test_viewports_keep_the_aspect(
    rendered: str, client: httpx.Client, viewport: str, size: tuple[int, int]
) -> None:
    assert opened(ask(client, f"{rendered}?viewport={viewport}")).size == size


def test_regions_and_mirrors(rendered: str, client: httpx.Client) -> None:
    whole = cells(ask(client, rendered, "image/png"))
    part = cells(ask(client, f"{rendered}?viewport=32,16,10,20,32,16", "image/png"))
    assert np.array_equal(part, whole[20:36, 10:42])
    mirrored = cells(ask(client, f"{rendered}?viewport=32,16,10,20,-32,-16", "image/png"))
    assert np.array_equal(mirrored, part[::-1, ::-1])


def test_quality(rendered: str, client: httpx.Client) -> None:
    sizes = [len(ask(client, f"{rendered}?quality={quality}").content) for quality in (1, 50, 90, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] / 3


@pytest.mark.parametrize(
    "query",
    [
        "window=40", "window=40,0,linear", "window=40,400,cubic", "window=", "viewport=0,5", "viewport=1,2,3",
        "viewport=99999,99999", "viewport=10,10,500,500,5,5", "quality=0", "quality=101", "quality=best",
        "annotation=", "annotation=patient,diagnosis", "iccprofile=", "iccprofile=cmyk",
    ],
)  # fmt: skip
def test_wrong_parameters_are_400_with_words(rendered: str, client: httpx.Client, query: str) -> None:
    answer = ask(client, f"{rendered}?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.json()["detail"]) > 10


def test_parameters_that_nobody_knows_are_ignored(rendered: str, client: httpx.Client) -> None:
    assert ask(client, f"{rendered}?presentationState=x&iccprofile=no&charset=utf-8").status_code == 200


def test_what_is_known_is_not_sent_again(root: str, client: httpx.Client) -> None:
    tags = set()
    paths = [
        "rendered", "rendered?quality=50", "rendered?window=40,400", "rendered?viewport=64,64",
        "frames/1/rendered", "thumbnail", "thumbnail?viewport=32,32",
    ]  # fmt: skip
    for path in paths:
        url = f"{CT.path(root)}/{path}"
        first = ask(client, url)
        tag = first.headers["etag"]
        tags.add(tag)
        assert ask(client, url).headers["etag"] == tag
        again = ask(client, url, **{"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert ask(client, url, **{"If-None-Match": '"other"'}).status_code == 200
        assert ask(client, url, "image/png", **{"If-None-Match": tag}).status_code == 200
    assert len(tags) == len(paths)


def test_heads(root: str, client: httpx.Client) -> None:
    for path in ("rendered", "thumbnail"):
        answer = client.head(f"{CT.path(root)}/{path}", headers={"Accept": "image/png"})
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["etag"]


def test_several_frames_are_several_parts(root: str, client: httpx.Client) -> None:
    url = f"{FRAMES.path(root)}/frames"
    singles = [ask(client, f"{url}/{number}/rendered", "image/png").content for number in (3, 1)]
    answer = ask(client, f"{url}/3,1,3/rendered", 'multipart/related; type="image/png"')
    parts = parts_of(answer)
    assert [part.body for part in parts] == [singles[0], singles[1], singles[0]]
    assert {part.headers["content-type"] for part in parts} == {"image/png"}
    assert ask(client, f"{url}/3,1/rendered", "image/png").status_code == 406
    one = ask(client, f"{url}/1/rendered", "multipart/related; type=image/png")
    assert [part.body for part in parts_of(one)] == [singles[1]]
    again = ask(
        client,
        f"{url}/3,1,3/rendered",
        "multipart/related; type=image/png",
        **{"If-None-Match": answer.headers["etag"]},
    )
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("frames", "status"),
    [("0", 400), ("-1", 400), ("x", 400), ("1,", 400), ("999", 404), ("1,999", 404), ("1000000000", 400)],
)
def test_frames_that_are_none(root: str, client: httpx.Client, frames: str, status: int) -> None:
    accept = "image/jpeg, multipart/related; type=image/jpeg"
    assert ask(client, f"{FRAMES.path(root)}/frames/{frames}/rendered", accept).status_code == status


def test_thumbnails_of_every_level(root: str, client: httpx.Client) -> None:
    series = f"{root}/studies/{PALETTE.study}/series/{PALETTE.series}"
    for url in (
        f"{root}/studies/{PALETTE.study}",
        series,
        PALETTE.path(root),
        f"{PALETTE.path(root)}/frames/1",
    ):
        image = opened(ask(client, f"{url}/thumbnail"))
        assert max(image.size) == 256
        assert max(opened(ask(client, f"{url}/thumbnail?viewport=100%2C100")).size) == 100
        assert max(opened(ask(client, f"{url}/thumbnail?viewport=400,400", "image/png")).size) == 400
    assert ask(client, f"{PALETTE.path(root)}/frames/1,2/thumbnail").status_code == 404
    assert ask(client, f"{PALETTE.path(root)}/frames/0/thumbnail").status_code == 400
    several = ask(client, f"{FRAMES.path(root)}/frames/3,1,2/thumbnail")
    assert several.headers["content-type"] == "image/jpeg"
    either = [ask(client, f"{FRAMES.path(root)}/frames/{n}/thumbnail").content for n in (1, 2, 3)]
    assert several.content in either, "one picture of several frames"
    assert ask(client, f"{series}/thumbnail?viewport=5").status_code == 400


def test_what_has_no_pixels(root: str, client: httpx.Client) -> None:
    for path, accept in (("rendered", "image/jpeg"), ("frames/1/rendered", "*/*")):
        answer = ask(client, f"{REPORT.path(root)}/{path}", accept)
        assert answer.status_code == 406
        assert "no pixels" in answer.json()["detail"]
    for url in (f"{root}/studies/{REPORT.study}", REPORT.path(root), f"{REPORT.path(root)}/frames/1"):
        answer = ask(client, f"{url}/thumbnail?viewport=96,96", "image/png")
        assert opened(answer).size == (96, 96)
        assert "no pixels" in answer.headers["warning"]


def test_what_cannot_be_decoded(root: str, client: httpx.Client) -> None:
    answer = ask(client, f"{DAMAGED.path(root)}/rendered")
    assert answer.status_code == 406
    assert "compressed frame" in answer.json()["detail"]
    answer = ask(client, f"{DAMAGED.path(root)}/thumbnail")
    assert opened(answer).size == (256, 256)
    assert "compressed frame" in answer.headers["warning"]


def test_nothing_there(root: str, client: httpx.Client) -> None:
    unknown = f"{root}/studies/1.2.3/series/1.2.3/instances/1.2.3"
    for path in ("rendered", "thumbnail", "frames/1/rendered", "frames/1/thumbnail"):
        assert ask(client, f"{unknown}/{path}").status_code == 404
        assert ask(client, f"{root}/studies/x/series/1.2/instances/1.2/{path}").status_code == 400
    for url in (f"{root}/studies/1.2.3", f"{root}/studies/1.2.3/series/1.2.3"):
        assert ask(client, f"{url}/thumbnail").status_code == 404


NO_PICTURE = {
    "no pixels": {
        "charset_files/chrJapMulti.dcm", "charset_files/chrJapMultiExplicitIR6.dcm",
        "charset_files/chrKoreanMulti.dcm", "test_files/ExplVR_BigEndNoMeta.dcm",
        "test_files/ExplVR_LitEndNoMeta.dcm", "test_files/reportsi.dcm",
        "test_files/reportsi_with_empty_number_tags.dcm", "test_files/rtplan.dcm", "test_files/rtstruct.dcm",
        "test_files/test-SR.dcm", "test_files/waveform_ecg.dcm",
    },
    "not of the size": {"test_files/JPEG2000-embedded-sequence-delimiter.dcm"},
}  # fmt: skip
"""Why packaged files are not shown. The rest is, except for those of a folder that come without pixels."""
WITHOUT_PIXELS = "test_files/dicomdirtests/TINY_ALPHA/"


def test_every_packaged_file_is_shown_or_says_why(empty: str, client: httpx.Client) -> None:
    shown, refused = [], []
    for wave in corpus.waves():
        assert Web(f"{empty}/dicom-web").store(wave).status == 200
        for item in wave:
            answer = ask(client, item.path(f"{empty}/dicom-web") + "/rendered", "image/png")
            thumbnail = ask(client, item.path(f"{empty}/dicom-web") + "/thumbnail")
            assert max(opened(thumbnail).size) <= 256
            if answer.status_code == 200:
                assert opened(answer).size[0] > 0
                assert "warning" not in thumbnail.headers
                shown.append(item.name)
            else:
                reason = check_refusal(item, answer)
                refused.append((item.name, reason))
    expected = {name for names in NO_PICTURE.values() for name in names}
    assert {name for name, _ in refused if not name.startswith(WITHOUT_PIXELS)} == expected
    assert len(shown) >= 99
    for name, reason in refused:
        print(f"{name}: 406, {reason}")
    print(f"{len(shown)} files shown")


def check_refusal(item: DicomObject, answer: httpx.Response) -> str:
    assert answer.status_code == 406, f"{item.name}: {answer.status_code} {answer.text}"
    reason = str(answer.json()["detail"])
    words = [word for word, names in NO_PICTURE.items() if item.name in names] or ["no pixels"]
    assert words[0] in reason
    assert not any(uid in answer.text for uid in NAMES)
    return reason
