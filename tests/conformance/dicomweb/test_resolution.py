"""Small pictures of frames: `?resolution=`, in values and in bytes read."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import imagecodecs
import numpy as np
import pytest

from pacs.config import Config
from tests.conformance.dicomweb.conftest import Run, packaged, running
from tests.support.dicom_object import DicomObject
from tests.support.pictures import Kind, Samples, noise, picture, waves
from tests.support.web_client import Web, parts_of

RPCL = "1.2.840.10008.1.2.4.202"
EXPLICIT = "1.2.840.10008.1.2.1"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
RLE = "1.2.840.10008.1.2.5"
OCTETS = "application/octet-stream"
FACTORS = (1, 2, 4, 8)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(Config(data=tmp_path_factory.mktemp("resolutions"))) as url:
        yield f"{url}/dicom-web"


Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(root: str, client: httpx.Client) -> Ask:
    def get(
        item: DicomObject, factor: int | str, accept: str = "*/*", *, frame: str = "1", **headers: str
    ) -> httpx.Response:
        resolution = f"1/{factor}" if isinstance(factor, int) else factor
        url = f"{item.path(root)}/frames/{frame}"
        return client.get(url, params={"resolution": resolution}, headers={"Accept": accept} | headers)

    return get


def kept(root: str, item: DicomObject) -> DicomObject:
    assert Web(root).store([item]).status == 200
    return item


def boxes(frame: Samples, factor: int) -> Samples:
    """Means of boxes, one by one, a half rounded up; written without the tricks of the product."""
    rows, columns = frame.shape[:2]
    out = np.empty((-(-rows // factor), -(-columns // factor), *frame.shape[2:]), frame.dtype)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            box = frame[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor].astype(
                np.int64
            )
            mean = box.reshape(-1, *frame.shape[2:]).mean(axis=0)
            out[row, column] = np.floor(mean + 0.5)
    return out


def samples(answer: httpx.Response, like: Samples) -> Samples:
    """The samples of an answer, in the size that its headers say."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == f"{OCTETS}; transfer-syntax={EXPLICIT}"
    size = int(answer.headers["hilum-rows"]), int(answer.headers["hilum-columns"])
    return np.frombuffer(answer.content, like.dtype).reshape(*size, *like.shape[2:])


@pytest.mark.parametrize("accept", [OCTETS, "*/*", "", f"{OCTETS}; transfer-syntax={EXPLICIT}"])
@pytest.mark.parametrize("factor", FACTORS)
def test_a_stream_is_read_as_far_as_the_resolution(root: str, ask: Ask, factor: int, accept: str) -> None:
    whole = waves(2, 301, 203)
    item = kept(root, picture(whole, syntax=RPCL))
    answer = ask(item, factor, accept, frame="2")
    assert (answer.headers["hilum-rows"], answer.headers["hilum-columns"]) == (
        str(-(-301 // factor)),
        str(-(-203 // factor)),
    )
    assert answer.headers["hilum-resolution"] == f"1/{factor}"
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed >= {"Hilum-Rows", "Hilum-Columns", "Hilum-Resolution", "Content-Range", "ETag"}
    stream = ask(item, 1, f"{OCTETS}; transfer-syntax={RPCL}", frame="2").content
    expected = imagecodecs.htj2k_decode(stream, skipres=factor.bit_length() - 1 or None)
    assert (samples(answer, whole[1]) == expected).all()
    if factor == 1:
        assert (expected == whole[1]).all()


@pytest.mark.parametrize("bits", [8, 12, -8, -12, 16, -16])
@pytest.mark.parametrize("syntax", [EXPLICIT, "1.2.840.10008.1.2", RLE, JPEG_2000, "1.2.840.10008.1.2.4.80"])
def test_boxes_of_what_has_no_resolutions(root: str, ask: Ask, syntax: str, bits: int) -> None:
    """Negative `bits` are of signed samples."""
    whole = noise(1, 21, 18, bits=abs(bits), signed=bits < 0)
    item = kept(root, picture(whole, Kind(abs(bits)), syntax=syntax))
    for factor in FACTORS:
        assert (samples(ask(item, factor), whole[0]) == boxes(whole[0], factor)).all()


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("syntax", [EXPLICIT, RLE])
def test_colours_are_given_by_pixel(root: str, ask: Ask, syntax: str, planar: int) -> None:
    whole = noise(2, 17, 9, 3, bits=8)
    item = kept(root, picture(whole, Kind(8, "RGB", planar), syntax=syntax))
    assert (samples(ask(item, 4, frame="2"), whole[1]) == boxes(whole[1], 4)).all()


def test_colours_of_a_stream_are_red_green_and_blue(root: str, ask: Ask) -> None:
    whole = waves(1, 128, 130, 3, bits=8)
    item = kept(root, picture(whole, Kind(8, "RGB"), syntax=RPCL))
    small = samples(ask(item, 4), whole[0])
    assert np.abs(small.astype(int) - whole[0, ::4, ::4]).max() < 12  # the wavelet smooths around these
    assert (samples(ask(item, 1), whole[0]) == whole[0]).all()


@pytest.mark.parametrize("syntax", [EXPLICIT, RPCL])
def test_indices_of_a_palette_are_never_mixed(root: str, ask: Ask, syntax: str) -> None:
    whole = noise(1, 33, 20, bits=8)
    item = kept(root, picture(whole, Kind(8, "PALETTE COLOR"), syntax=syntax))
    rows, columns = (np.minimum(np.arange(0, n, 8) + 4, n - 1) for n in whole[0].shape)
    assert (samples(ask(item, 8), whole[0]) == whole[0][np.ix_(rows, columns)]).all()


def test_pixels_of_one_bit(root: str, ask: Ask) -> None:
    whole = noise(3, 5, 7, bits=1)
    item = picture(whole, Kind(1))
    packed = np.packbits(whole.ravel(), bitorder="little").tobytes()
    value = packed + bytes(len(packed) % 2)
    item = kept(root, picture(whole, Kind(1), BitsAllocated=1, PixelData=value))
    answer = ask(item, 2, frame="2")
    assert (answer.headers["hilum-rows"], answer.headers["hilum-columns"]) == ("3", "4")
    bits = np.unpackbits(np.frombuffer(answer.content, np.uint8), bitorder="little")[:12].reshape(3, 4)
    assert (bits == whole[1][np.ix_([1, 3, 4], [1, 3, 5, 6])]).all()


def test_chroma_of_every_second_pixel(root: str, ask: Ask) -> None:
    whole = noise(1, 6, 8, 3, bits=8)
    whole[:, :, 1::2, 1:] = whole[:, :, ::2, 1:]
    pairs = np.concatenate([whole[0, :, ::2, :1], whole[0, :, 1::2, :1], whole[0, :, ::2, 1:]], axis=-1)
    item = picture(whole, Kind(8, "YBR_FULL_422"), PixelData=pairs.tobytes())
    answer = ask(kept(root, item), 2)
    assert answer.headers["hilum-photometric-interpretation"] == "YBR_FULL"
    assert (samples(answer, whole[0]) == boxes(whole[0], 2)).all()
    assert (samples(ask(item, 1), whole[0]) == whole[0]).all()


def test_bits_above_the_sample_are_no_part_of_its_mean(root: str, ask: Ask) -> None:
    whole = noise(1, 8, 8)
    overlaid = whole | (noise(1, 8, 8, bits=1, seed=2) << 15)
    item = kept(root, picture(overlaid, Kind(12)))
    assert (samples(ask(item, 2), whole[0]) == boxes(whole[0], 2)).all()


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (f"{OCTETS}; transfer-syntax=*", OCTETS),
        (f"{OCTETS}; transfer-syntax={RPCL}", OCTETS),
        ("image/jphc", "image/jphc"),
        (f"image/jphc; transfer-syntax={RPCL}", "image/jphc"),
    ],
)
def test_the_cut_stream_itself(root: str, ask: Ask, accept: str, kind: str) -> None:
    whole = waves(1, 301, 203)
    item = kept(root, picture(whole, syntax=RPCL))
    answer = ask(item, 4, accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"{kind}; transfer-syntax={RPCL}")
    assert len(answer.content) == int(answer.headers["content-length"]) < len(item.dataset) / 4
    assert answer.content in item.dataset
    small = imagecodecs.htj2k_decode(answer.content, skipres=2)
    assert (small == samples(ask(item, 4), whole[0])).all()
    size = int(answer.headers["hilum-rows"]), int(answer.headers["hilum-columns"])
    assert small.shape == size == (76, 51)


def test_any_transfer_syntax_of_what_has_no_resolutions_is_samples(root: str, ask: Ask) -> None:
    item = kept(root, picture(noise(1, 16, 16), syntax=RLE))
    assert ask(item, 4, f"{OCTETS}; transfer-syntax=*").headers["content-type"].endswith(EXPLICIT)
    assert ask(item, 4, f"{OCTETS}; transfer-syntax={RPCL}").status_code == 406
    assert ask(item, 4, "image/png").status_code == 406


def test_several_frames_as_parts(root: str, ask: Ask) -> None:
    whole = noise(3, 16, 24)
    item = kept(root, picture(whole))
    answer = ask(item, 8, f"multipart/related; type={OCTETS}", frame="3,1")
    found = [np.frombuffer(part.body, whole.dtype).reshape(2, 3) for part in parts_of(answer)]
    assert (found[0] == boxes(whole[2], 8)).all()
    assert (found[1] == boxes(whole[0], 8)).all()
    assert int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize("resolution", ["1/3", "1/16", "2", "0", "1/8x", "half", "-1/2", " "])
def test_resolutions_that_there_are_not(root: str, ask: Ask, resolution: str) -> None:
    answer = ask(kept(root, picture(noise(1, 8, 8))), resolution)
    assert answer.status_code == 400
    assert "1/8" in answer.json()["hint"]


def test_frames_that_there_are_not(root: str, ask: Ask) -> None:
    item = kept(root, picture(noise(1, 8, 8)))
    assert ask(item, 8, frame="2").status_code == 404
    assert ask(kept(root, packaged("test-SR.dcm")), 8).status_code == 404


def test_each_resolution_has_a_tag_of_its_own(root: str, ask: Ask) -> None:
    item = kept(root, picture(waves(1, 301, 203), syntax=RPCL))
    tags = {(factor, accept): ask(item, factor, accept).headers["etag"]
            for factor in FACTORS for accept in (OCTETS, f"{OCTETS}; transfer-syntax=*")}  # fmt: skip
    assert len(set(tags.values())) == len(tags)
    for (factor, accept), tag in tags.items():
        again = ask(item, factor, accept, **{"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")


def test_another_htj2k_stream_that_tells_its_resolutions(
    run: Run, tmp_path: Path, client: httpx.Client, reads: list[int]
) -> None:
    item = picture(waves(1, 700, 600), syntax="1.2.840.10008.1.2.4.201")
    root = run(Config(data=tmp_path / "data")) + "/dicom-web"
    kept(root, item)
    reads.clear()
    assert client.get(f"{item.path(root)}/frames/1?resolution=1/4").status_code == 200
    assert sum(reads) < len(item.dataset) / 4


def test_a_stream_that_is_damaged_is_refused(root: str, ask: Ask) -> None:
    item = picture(waves(1, 301, 203), syntax=RPCL)
    at = item.file.index(b"\xff\x52") + 5  # COD: as if of another progression
    broken = kept(root, DicomObject("", item.study, item.series, item.instance, item.sop_class, RPCL, b"",
                                    item.file[:at] + b"\x09" + item.file[at + 1 :]))  # fmt: skip
    assert ask(broken, 8, f"{OCTETS}; transfer-syntax={RPCL}").status_code == 406


def mammogram() -> Samples:
    """4096 x 3328 pixels of 12 bits: a bright shape with structure of every size and noise, on black."""
    down, across = np.mgrid[0:4096, 0:3328].astype(np.float32)
    depth = np.clip(1.2 - np.hypot((down - 2048) / 1700, across / 2600), 0, 1)
    tissue = 400 * (np.sin(down / 90) * np.cos(across / 70) + np.sin((down + across) / 23))
    grain = np.random.default_rng(3).normal(0, 12, depth.shape).astype(np.float32)
    light = np.sqrt(depth) * (2400 + tissue) + grain * (depth > 0)
    found: Samples = np.clip(light, 0, 4095).astype(np.uint16)[None]
    return found


def test_the_first_small_picture_of_a_mammogram_reads_three_in_a_hundred_bytes(
    run: Run, tmp_path: Path, client: httpx.Client, reads: list[int]
) -> None:
    whole = mammogram()
    assert whole.nbytes > 27_000_000
    item = picture(whole, syntax=RPCL)
    root = run(Config(data=tmp_path / "data")) + "/dicom-web"
    kept(root, item)
    (file,) = (tmp_path / "data").rglob("*.dcm")
    reads.clear()
    answer = client.get(f"{item.path(root)}/frames/1?resolution=1/8", headers={"Accept": OCTETS})
    small = samples(answer, whole[0])
    assert small.shape == (512, 416)
    # The wavelet smooths around every eighth pixel.
    assert np.abs(small.astype(int) - whole[0, ::8, ::8]).mean() < 25
    share = sum(reads) / file.stat().st_size
    print(f"{sum(reads)} of {file.stat().st_size} bytes read: {share:.2%}")
    assert 0 < share <= 0.03
    reads.clear()
    assert samples(client.get(f"{item.path(root)}/frames/1?resolution=1/1"), whole[0]).shape == whole[0].shape
    assert sum(reads) > file.stat().st_size / 2
