"""Whatever a data set says of its pixels, they are shown or refused; nothing else happens."""

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from pacs.dicom.attributes import tag_of
from pacs.errors import PacsError
from pacs.pixels import appearance, smallest
from pacs.pixels.frames import PixelShape, build
from pacs.pixels.render import Look, render
from pacs.pixels.smallest import FrameBytes
from pacs.pixels.viewport import Viewport, show, wanted_size
from pacs.pixels.voi import Function, Window

EXPLICIT = "1.2.840.10008.1.2.1"
ODD = st.one_of(st.integers(-3, 70), st.sampled_from([255, 4096, 65535, -32768, 1 << 40]))
NUMBER = st.one_of(ODD, st.floats(), st.sampled_from(["", "abc", "1e400", "-0", None]))
PHOTOMETRIC = st.sampled_from(
    ["MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "HSV", ""]
)
BYTES = st.binary(max_size=64)


def element(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    data: dict[str, Any] = draw(
        st.one_of(
            st.lists(ODD, max_size=20).map(lambda values: element("US", *values)),
            BYTES.map(lambda data: {"vr": "OW", "InlineBinary": base64.b64encode(data).decode()}),
            st.just({"vr": "OW", "BulkDataURI": "/00283006"}),
            st.just({"vr": "OW", "InlineBinary": "not base64"}),
        )
    )
    return {"00283002": element("US", *draw(st.lists(ODD, max_size=4))), "00283006": data}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Plausible more often than not, or nothing would ever be shown."""
    plausible = {
        "Rows": 4, "Columns": 4, "SamplesPerPixel": 1, "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11,
        "PixelRepresentation": 0, "PlanarConfiguration": 0,
    }  # fmt: skip
    said: dict[str, Any] = {}
    photometric = draw(PHOTOMETRIC)
    plausible["SamplesPerPixel"] = 3 if photometric in {"RGB", "YBR_FULL", "YBR_FULL_422", "HSV"} else 1
    plausible["BitsAllocated"] = draw(st.sampled_from([8, 16, 16, 32, 1]))
    odd = draw(st.sets(st.sampled_from(sorted(plausible)), max_size=2))
    for keyword, value in plausible.items():
        chosen = draw(st.one_of(ODD, NUMBER, st.none())) if keyword in odd else value
        if chosen is not None:
            said[f"{tag_of(keyword):08X}"] = element("US", chosen)
    said["00280004"] = element("CS", photometric)
    said["7FE00010"] = {"vr": "OW"}
    for keyword in (
        "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "PixelPaddingValue",
        "PixelPaddingRangeLimit", "MaximumFractionalValue", "RepresentativeFrameNumber",
    ):  # fmt: skip
        if draw(st.booleans()):
            said[f"{tag_of(keyword):08X}"] = element("DS", draw(NUMBER))
    for keyword in ("ModalityLUTSequence", "VOILUTSequence"):
        if draw(st.integers(0, 3)) == 0:
            said[f"{tag_of(keyword):08X}"] = element("SQ", draw(st.one_of(tables(), st.none())))
    for colour in ("Red", "Green", "Blue"):
        made = draw(tables())
        kind = draw(st.sampled_from(["", "Segmented"]))
        said[f"{tag_of(f'{colour}PaletteColorLookupTableDescriptor'):08X}"] = made["00283002"]
        said[f"{tag_of(f'{kind}{colour}PaletteColorLookupTableData'):08X}"] = made["00283006"]
    said["00620001"] = element("CS", draw(st.sampled_from(["FRACTIONAL", "LABELMAP", "BINARY", ""])))
    return said


@pytest.mark.parametrize("said", [7e305, -1e31, float("inf"), float("nan")])
def test_a_number_that_is_none_is_not_said(said: float) -> None:
    item = {"00281053": {"vr": "DS", "Value": [said]}}
    assert appearance._number(item, "RescaleSlope", 1.0) == 1.0


@settings(max_examples=400, deadline=None)
@given(
    item=documents(),
    data=st.binary(min_size=192, max_size=200),
    bulk=BYTES,
    window=st.none() | st.builds(Window, st.floats(-1e6, 1e6), st.floats(1, 1e6), st.sampled_from(Function)),
)  # fmt: skip
def test_any_data_set(item: dict[str, Any], data: bytes, bulk: bytes, window: Window | None) -> None:
    try:
        look = appearance.read(item)
        shape = look.shape
        size = PixelShape(
            shape.rows, shape.columns, shape.samples, shape.bits_allocated, 1, shape.photometric
        )
        table = build(
            lambda at, n: data[at : at + n], size, EXPLICIT, offset=0, length=len(data), end=len(data)
        )
        if table is None or not table.count:
            return
        frame = FrameBytes(table, 0, lambda at, n: data[at : at + n])
        whole = (shape.columns, shape.rows)
        picture = smallest.decode(frame, look, EXPLICIT, whole)
        seen = render(picture, Look(look, 1, lambda _: bulk, window))
        assert wanted_size(Viewport(3, 3), *whole)
        assert show(seen, Viewport(3, 3), *whole).dtype == np.uint8
    except PacsError as error:
        event(f"refused: {error}")
        return
    event("shown")
    assert seen.dtype == np.uint8
    assert seen.shape[:2] == (shape.rows, shape.columns)
