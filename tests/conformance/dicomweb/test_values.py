"""Every kind of value that metadata names by its address, and the pixel data of compressed objects as one
value (PS3.18 8.7.3.3, 10.4.1.1.5); videos as browsers play them (8.7.4)."""

import io
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import pydicom
import pytest
from pydicom import encaps
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

from pacs.config import Config
from tests.conformance.dicomweb.conftest import packaged, running
from tests.support.dicom_object import DicomObject
from tests.support.factory import fresh_uid
from tests.support.pictures import Kind, as_object, noise, picture, samples_of
from tests.support.web_client import Web, parts_of

EXPLICIT, JPEG_LS, RPCL = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.202"
MPEG4 = "1.2.840.10008.1.2.4.102"
OCTETS = "application/octet-stream"
STREAM = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(range(256)) * 40


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(Config(data=tmp_path_factory.mktemp("values"))) as url:
        yield f"{url}/dicom-web"


def ask(url: str, accept: str = "*/*", **headers: str) -> httpx.Response:
    return httpx.get(url, headers={"Accept": accept, **headers}, timeout=30)


def stored(root: str, item: DicomObject) -> str:
    assert Web(root).store([item]).status == 200
    return item.path(root)


def written(ds: Dataset, syntax: str = EXPLICIT) -> DicomObject:
    ds.SOPClassUID = ds.get("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7")
    ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID = fresh_uid(), fresh_uid(), fresh_uid()
    ds.Modality, ds.PatientID = "OT", "VALUES"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    return as_object(buffer.getvalue())


def octets(count: int, seed: int) -> bytes:
    return bytes((number * 31 + seed) % 256 for number in range(count))


def item_of(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def test_every_kind_of_value(root: str) -> None:
    """Documents, colour profiles, curves, overlays, tables; nested ones, too."""
    table = octets(4096, 1)
    ds = item_of(
        EncapsulatedDocument=b"%PDF" + octets(3000, 2),
        ICCProfile=octets(2000, 3),
        RedPaletteColorLookupTableData=octets(2048, 4),
        OpticalPathSequence=Sequence([item_of(ICCProfile=octets(1500, 5))]),
        WaveformSequence=Sequence(
            [Dataset(), item_of(WaveformBitsAllocated=16, WaveformData=octets(6000, 6))]
        ),
    )
    ds.add_new(0x60003000, "OW", octets(2048, 7))
    lut = item_of(LUTDescriptor=[2048, 0, 16])
    lut.add_new(0x00283006, "OW", table)
    ds.ModalityLUTSequence = Sequence([lut])
    ds.WaveformSequence[1]["WaveformData"].VR = "OW"
    ds["RedPaletteColorLookupTableData"].VR = "OW"
    at = stored(root, written(ds))
    (found,) = ask(f"{at}/metadata").json()
    expected = {
        "00420011": b"%PDF" + octets(3000, 2), "00282000": octets(2000, 3), "00281201": octets(2048, 4),
        "00480105/1/00282000": octets(1500, 5), "54000100/2/54001010": octets(6000, 6),
        "60003000": octets(2048, 7), "00283000/1/00283006": table,
    }  # fmt: skip
    for path, value in expected.items():
        element: Any = found
        tags = path.split("/")
        for tag, number in zip(tags[::2], [*tags[1::2], ""], strict=True):
            element = element[tag]["Value"][int(number) - 1] if number else element[tag]
        assert element["BulkDataURI"] == f"{at}/bulkdata/{path}"
        whole = ask(element["BulkDataURI"])
        assert (whole.status_code, whole.content) == (200, value)
        assert ask(element["BulkDataURI"], Range="bytes=10-19").content == value[10:20]
        (part,) = parts_of(ask(element["BulkDataURI"], f'multipart/related; type="{OCTETS}"'))
        assert part.body == value
        head = httpx.head(element["BulkDataURI"])
        assert (head.status_code, int(head.headers["content-length"])) == (200, len(value))


@pytest.mark.parametrize("syntax", [JPEG_LS, RPCL])
def test_compressed_pixel_data_as_octets_is_decoded(root: str, syntax: str) -> None:
    """Octets without a transfer syntax are Explicit VR Little Endian (PS3.18 8.7.3.3.1)."""
    samples = noise(3, 5, 3, bits=8)
    item = picture(samples, Kind(8), syntax=syntax)
    value = f"{stored(root, item)}/bulkdata/7FE00010"
    expected = samples.tobytes() + b"\0"
    for accept in (OCTETS, f"{OCTETS}; transfer-syntax={EXPLICIT}"):
        whole = ask(value, accept)
        assert (whole.status_code, whole.content) == (200, expected)
        assert whole.headers["content-type"] == f"{OCTETS}; transfer-syntax={EXPLICIT}"
    (part,) = parts_of(ask(value, f"multipart/related; type={OCTETS}"))
    assert part.body == expected
    assert part.headers["content-type"] == f"{OCTETS}; transfer-syntax={EXPLICIT}"
    for begin, end in ((0, 3), (10, 20), (14, 45), (44, 45), (29, 31)):
        piece = ask(value, OCTETS, Range=f"bytes={begin}-{end}")
        assert (piece.status_code, piece.content) == (206, expected[begin : end + 1])
    assert ask(value, OCTETS, Range="bytes=46-").status_code == 416
    several = ask(value, OCTETS, Range="bytes=0-1,40-41")
    assert several.headers["content-type"].startswith("multipart/byteranges")


@pytest.mark.parametrize(
    "accept", ["*/*", f"{OCTETS}; transfer-syntax=*", f"{OCTETS}; transfer-syntax={JPEG_LS}"]
)
def test_who_takes_any_transfer_syntax_gets_the_value_as_it_lies_there(root: str, accept: str) -> None:
    samples = noise(2, 8, 8, bits=8)
    item = picture(samples, Kind(8), syntax=JPEG_LS)
    answer = ask(f"{stored(root, item)}/bulkdata/7FE00010", accept)
    assert answer.headers["content-type"] == f"{OCTETS}; transfer-syntax={JPEG_LS}"
    assert answer.content in item.dataset
    assert len(list(encaps.generate_frames(answer.content, number_of_frames=2))) == 2
    other = ask(f"{item.path(root)}/bulkdata/7FE00010", OCTETS)
    assert other.headers["etag"] != answer.headers["etag"]


def test_pixel_data_with_loss_is_decoded_as_the_object_is(root: str) -> None:
    at = stored(root, packaged("SC_rgb_jpeg_dcmtk.dcm"))
    plain = ask(f"{at}/bulkdata/7FE00010", OCTETS)
    whole = ask(at, f"application/dicom; transfer-syntax={EXPLICIT}")
    assert plain.content == samples_of(whole.content).tobytes()


# -- videos -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def video(root: str) -> str:
    ds = item_of(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.4.1", Rows=480, Columns=640, SamplesPerPixel=3,
        PhotometricInterpretation="YBR_PARTIAL_420", BitsAllocated=8, BitsStored=8, HighBit=7,
        PixelRepresentation=0, PlanarConfiguration=0, NumberOfFrames=30,
    )  # fmt: skip
    ds.add_new(0x7FE00010, "OB", encaps.encapsulate([STREAM], fragments_per_frame=3))
    ds["PixelData"].is_undefined_length = True
    return stored(root, written(ds, MPEG4))


@pytest.mark.parametrize("accept", ["*/*", "video/mp4", "video/*", "video/webm,video/mp4;q=0.9,*/*;q=0.5"])
@pytest.mark.parametrize("path", ["rendered", "rendered?accept=video/mp4", "bulkdata/7FE00010"])
def test_a_video_is_played(video: str, path: str, accept: str) -> None:
    """One stream, in its own media type, of which players ask for ranges."""
    url = f"{video}/{path}"
    whole = ask(url, accept)
    assert whole.status_code == 200
    assert whole.headers["content-type"].partition(";")[0] == "video/mp4"
    assert whole.content == STREAM
    assert whole.headers["accept-ranges"] == "bytes"
    first, rest = ask(url, accept, Range="bytes=0-999"), ask(url, accept, Range="bytes=1000-")
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.content + rest.content == STREAM
    assert first.headers["content-range"] == f"bytes 0-999/{len(STREAM)}"
    assert ask(url, accept, **{"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert ask(url, accept, Range="bytes=999999-").status_code == 416
    head = httpx.head(url, headers={"Accept": accept})
    assert (head.status_code, int(head.headers["content-length"])) == (200, len(STREAM))


def test_a_video_is_no_picture(video: str) -> None:
    assert ask(f"{video}/rendered", "image/jpeg").status_code == 406
    assert ask(f"{video}/frames/1/rendered", "image/jpeg").status_code == 406
    icon = ask(f"{video}/thumbnail", "image/jpeg")
    assert icon.status_code == 200
    assert "icon" in icon.headers["warning"]
    assert ask(f"{video}/bulkdata/7FE00010", OCTETS).content == STREAM
    frames = ask(f"{video}/frames/1", "video/mp4")
    assert frames.content == STREAM
    raw = ask(video, "application/dicom").content
    assert struct.unpack_from("<HH", raw, raw.index(b"ftypmp42") - 12)[0] == 0xFFFE
