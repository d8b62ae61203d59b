"""The query parameters of rendered resources (PS3.18 8.3.5)."""

import math

import pytest

from dicomweb import viewing
from pacs.errors import Invalid
from pacs.retrieve.view import QUALITY, Annotation, Form, Function, Region, Space, View, Viewport, Window


def test_nothing_asked() -> None:
    assert viewing.view({}, Form.PNG) == View(Form.PNG, QUALITY, None, None)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("40,400,linear", Window(40, 400)),
        ("40,400", Window(40, 400)),
        ("-600.5,1500,LINEAR", Window(-600.5, 1500)),
        ("1e3,0.5,linear-exact", Window(1000, 0.5, Function.LINEAR_EXACT)),
        (" 0.5 , .25 , sigmoid ", Window(0.5, 0.25, Function.SIGMOID)),
    ],
)
def test_windows(text: str, window: Window) -> None:
    assert viewing.view({"window": text}, Form.JPEG).window == window


@pytest.mark.parametrize(
    ("text", "viewport"),
    [
        ("512,256", Viewport(512, 256)),
        ("512,256,10,20,30,40", Viewport(512, 256, Region(10, 20, 30, 40))),
        ("512,256,10.5,20,-30,-40.25", Viewport(512, 256, Region(10.5, 20, 30, 40.25, True, True))),
        ("512,256,,,,", Viewport(512, 256)),
        ("512,256,5,,,", Viewport(512, 256, Region(5, 0, math.inf, math.inf))),
        ("8192,4096", Viewport(8192, 4096)),
    ],
)
def test_viewports(text: str, viewport: Viewport) -> None:
    assert viewing.viewport(text) == viewport


@pytest.mark.parametrize(
    "asked",
    [
        *({"window": text} for text in (
            "", "40", "40,", "40,400,cubic", "40,0,linear", "40,0.5,linear", "40,-1,sigmoid",
            "40,0,linear-exact",
            "nan,400", "inf,400", "40,400,linear,1", "forty,400", "40;400", "4 0,400",
        )),
        *({"viewport": text} for text in (
            "", "512", "512,", "512,256,1", "512,256,1,2,3", "512,256,1,2,3,4,5", "0,256", "512,0",
            "-512,256",
            "512.5,256", "99999,1", "8192,8192", "512,256,-1,0,5,5", "512,256,0,0,0,5", "512,256,0,0,5,x",
            "512,256,nan,0,5,5", "1e2,256", "५,5",
        )),
        *({"quality": text} for text in ("", "0", "101", "-5", "7.5", "high", "١")),
        *({"annotation": text} for text in ("", "other", "patient,", "patient,other", "patient;technique")),
        *({"iccprofile": text} for text in ("", "maybe", "no,yes")),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        viewing.view(asked, Form.JPEG)


def test_no_profile_is_what_is_given() -> None:
    assert viewing.view({"iccprofile": "no", "quality": "1"}, Form.JPEG) == View(quality=1)
    assert viewing.view({"iccprofile": "No"}, Form.GIF) == View(Form.GIF)


def test_profiles_that_are_asked_for() -> None:
    for word, space in (
        ("yes", Space.OWN), ("sRGB", Space.SRGB), ("adobergb", Space.ADOBE_RGB), ("rommrgb", Space.ROMM_RGB),
    ):  # fmt: skip
        assert viewing.view({"iccprofile": word}, Form.PNG).space is space
    with pytest.raises(Invalid):
        viewing.view({"iccprofile": "yes"}, Form.GIF)


def test_annotations() -> None:
    both = (Annotation.PATIENT, Annotation.TECHNIQUE)
    for text, wanted in (
        ("patient", both[:1]), ("technique", both[1:]), ("technique, Patient", both),
        ("patient,technique", both),
    ):  # fmt: skip
        assert viewing.view({"annotation": text}, Form.JPEG).annotations == wanted
