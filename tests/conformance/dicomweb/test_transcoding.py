"""Objects and frames in the transfer syntax that is asked for, read again by pydicom, sample for sample."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
import pydicom
import pytest

from pacs.config import Config
from tests.conformance.dicomweb.conftest import Run, packaged, running
from tests.support import corpus
from tests.support.dicom_object import DicomObject
from tests.support.factory import fresh_uid, large_file
from tests.support.pictures import Kind, Samples, noise, picture, read, samples_of
from tests.support.web_client import Web, parts_of

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
HTJ2K = "1.2.840.10008.1.2.4.201"
RPCL = "1.2.840.10008.1.2.4.202"
COMPRESSED = [RLE, JPEG_LS, JPEG_2000, HTJ2K, RPCL]
ALL = [IMPLICIT, EXPLICIT, DEFLATED, *COMPRESSED]
DICOM = "application/dicom"
OCTETS = "application/octet-stream"
LOSSY = {f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 81, 91, 203)}
TYPES = {
    RLE: "image/dicom-rle",
    JPEG_LS: "image/jls",
    JPEG_2000: "image/jp2",
    HTJ2K: "image/jphc",
    RPCL: "image/jphc",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(Config(data=tmp_path_factory.mktemp("transcoding"))) as url:
        yield f"{url}/dicom-web"


def kept(root: str, item: DicomObject) -> DicomObject:
    assert Web(root).store([item]).status == 200
    return item


def ask(client: httpx.Client, url: str, accept: str, **headers: str) -> httpx.Response:
    return client.get(url, headers={"Accept": accept} | headers)


KINDS = {
    "12 bits": (noise(1, 13, 11), Kind(12)),
    "signed": (noise(1, 13, 11, signed=True), Kind(12)),
    "frames": (noise(3, 9, 8, bits=8), Kind(8)),
    "odd": (noise(3, 3, 3, bits=8), Kind(8)),
    "colour": (noise(2, 8, 9, 3, bits=8), Kind(8, "RGB")),
    "planes": (noise(2, 8, 9, 3, bits=8), Kind(8, "RGB", 1)),
    "luminance": (noise(1, 8, 9, 3, bits=8), Kind(8, "YBR_FULL")),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("stored", [IMPLICIT, EXPLICIT, RLE, JPEG_LS, RPCL])
def test_every_syntax_into_every_other(root: str, client: httpx.Client, stored: str, name: str) -> None:
    samples, kind = KINDS[name]
    item = kept(root, picture(samples, kind, syntax=stored))
    for target in ALL:
        answer = ask(client, item.path(root), f"{DICOM}; transfer-syntax={target}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == f"{DICOM};transfer-syntax={target}"
        made = read(answer.content)
        assert made.file_meta.TransferSyntaxUID == target
        assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID == item.instance
        assert made.PatientName == "Picture^Made"
        assert "LossyImageCompression" not in made
        if target == stored:
            assert answer.content == item.part10()
        assert (samples_of(answer.content) == samples).all(), target
        single = len(samples) == 1 or target in {IMPLICIT, EXPLICIT} or target == stored
        assert ("content-length" in answer.headers) or not single


def test_who_names_it_or_any_gets_what_is_stored(root: str, client: httpx.Client) -> None:
    item = kept(root, picture(noise(1, 8, 8), syntax=JPEG_LS))
    for accept in (f"{DICOM}; transfer-syntax=*", f"{DICOM}; transfer-syntax={JPEG_LS}"):
        assert ask(client, item.path(root), accept).content == item.part10()
    for accept in (DICOM, "*/*", ""):
        assert read(ask(client, item.path(root), accept).content).file_meta.TransferSyntaxUID == EXPLICIT
    both = f"{DICOM}; transfer-syntax={EXPLICIT}, {DICOM}; transfer-syntax={JPEG_LS}"
    assert ask(client, item.path(root), both).content == item.part10()
    explicit = ask(client, item.path(root), f"{DICOM}; transfer-syntax={EXPLICIT}, {DICOM}; q=0.5")
    assert read(explicit.content).file_meta.TransferSyntaxUID == EXPLICIT


def test_the_query_parameter_names_it_as_well(root: str, client: httpx.Client) -> None:
    item = kept(root, picture(noise(1, 8, 8)))
    answer = client.get(item.path(root), params={"accept": f"{DICOM};transfer-syntax={RPCL}"})
    assert read(answer.content).file_meta.TransferSyntaxUID == RPCL


@pytest.mark.parametrize("target", ["1.2.840.10008.1.2.2", "1.2.840.10008.1.2.4.50", "1.2.3", "x"])
def test_what_is_not_written_is_406(root: str, client: httpx.Client, target: str) -> None:
    item = kept(root, picture(noise(1, 8, 8)))
    answer = ask(client, item.path(root), f"{DICOM}; transfer-syntax={target}")
    assert answer.status_code == 406
    assert EXPLICIT in answer.json()["hint"]


def test_an_object_that_a_codec_does_not_take_is_406(root: str, client: httpx.Client) -> None:
    wide = np.arange(64, dtype=np.uint32).reshape(1, 8, 8)
    item = kept(root, picture(wide, Kind(32)))
    answer = ask(client, item.path(root), f"{DICOM}; transfer-syntax={RPCL}")
    assert answer.status_code == 406
    assert ask(client, f"{item.path(root)}/frames/1", "image/jphc").status_code == 406
    assert (
        samples_of(ask(client, item.path(root), f"{DICOM}; transfer-syntax={IMPLICIT}").content) == wide
    ).all()


def test_tags_are_strong_and_tell_the_syntaxes_apart(root: str, client: httpx.Client) -> None:
    item = kept(root, picture(noise(2, 8, 8)))
    tags = {}
    for target in ALL:
        accept = f"{DICOM}; transfer-syntax={target}"
        for url in (item.path(root), f"{root}/studies/{item.study}", f"{item.path(root)}/frames/1"):
            asked = {item.path(root): accept}.get(
                url, f"multipart/related; type={DICOM}; transfer-syntax={target}"
            )
            if url.endswith("frames/1"):
                asked = f"{OCTETS}; transfer-syntax={target}"
                if target in {IMPLICIT, DEFLATED}:
                    continue
            answer = ask(client, url, asked)
            assert answer.status_code == 200, (target, url)
            tags[target, url] = answer.headers["etag"]
            again = ask(client, url, asked, **{"If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
    assert len(set(tags.values())) == len(tags)
    assert not any(tag.startswith("W/") for tag in tags.values())


def test_a_study_of_many_syntaxes_in_one(root: str, client: httpx.Client) -> None:
    study = fresh_uid()
    pictures = {
        item.instance: (item, samples)
        for number, syntax in enumerate([EXPLICIT, RLE, JPEG_LS, RPCL, IMPLICIT])
        for samples in [noise(2, 8, 8, seed=number)]
        for item in [picture(samples, syntax=syntax, StudyInstanceUID=study)]
    }
    assert Web(root).store(item for item, _ in pictures.values()).status == 200
    for target in (EXPLICIT, IMPLICIT, JPEG_2000):
        accept = f'multipart/related; type="{DICOM}"; transfer-syntax={target}'
        parts = parts_of(ask(client, f"{root}/studies/{study}", accept))
        assert len(parts) == len(pictures)
        for part in parts:
            assert part.headers == {"content-type": f"{DICOM};transfer-syntax={target}"}
            ds = read(part.body)
            assert ds.file_meta.TransferSyntaxUID == target
            assert (samples_of(part.body) == pictures[ds.SOPInstanceUID][1]).all()


def test_what_has_no_pixels(root: str, client: httpx.Client) -> None:
    report = kept(root, packaged("test-SR.dcm"))
    before = read(report.part10())
    for target in (IMPLICIT, DEFLATED, EXPLICIT):
        answer = ask(client, report.path(root), f"{DICOM}; transfer-syntax={target}")
        made = read(answer.content)
        assert made.file_meta.TransferSyntaxUID == target
        assert made == before
    assert ask(client, report.path(root), f"{DICOM}; transfer-syntax={RPCL}").status_code == 406
    item = kept(root, picture(noise(1, 8, 8), StudyInstanceUID=report.study))
    accept = f'multipart/related; type="{DICOM}"; transfer-syntax={RPCL}'
    parts = parts_of(ask(client, f"{root}/studies/{report.study}", accept))
    found = {read(part.body).SOPInstanceUID: part.headers["content-type"] for part in parts}
    assert found == {
        item.instance: f"{DICOM};transfer-syntax={RPCL}",
        report.instance: f"{DICOM};transfer-syntax={EXPLICIT}",
    }


def frame_of(answer: httpx.Response) -> tuple[bytes, str]:
    assert answer.status_code == 200, answer.text
    if not answer.headers["content-type"].startswith("multipart"):
        return answer.content, answer.headers["content-type"]
    (part,) = parts_of(answer)
    return part.body, part.headers["content-type"]


def decoded(frame: bytes, syntax: str, samples: Samples, photometric: str) -> Samples:
    """One compressed frame by pydicom."""
    kind = Kind(8 * samples.dtype.itemsize if samples.dtype.itemsize == 1 else 12, photometric)
    ds = kind.dataset(samples[None])
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    ds.PixelData = pydicom.encaps.encapsulate([frame])
    ds["PixelData"].VR = "OB"
    ds.BitsStored, ds.HighBit = kind.bits, kind.bits - 1
    return pydicom.pixels.pixel_array(ds, raw=True)  # type: ignore[attr-defined]


@pytest.mark.parametrize("form", ["{}", "multipart/related; type={}"])
@pytest.mark.parametrize("stored", [IMPLICIT, EXPLICIT, RLE, JPEG_LS, RPCL])
@pytest.mark.parametrize("name", ["12 bits", "signed", "frames", "odd", "colour", "planes"])
def test_frames_in_every_syntax(root: str, client: httpx.Client, stored: str, name: str, form: str) -> None:
    samples, kind = KINDS[name]
    item = kept(root, picture(samples, kind, syntax=stored))
    url, last = f"{item.path(root)}/frames/{len(samples)}", samples[-1]
    frame, kind_of_part = frame_of(ask(client, url, form.format(OCTETS)))
    assert kind_of_part == f"{OCTETS}; transfer-syntax={EXPLICIT}"
    if not (kind.planar and stored in {EXPLICIT, IMPLICIT}):  # as stored: by plane
        assert frame == last.tobytes()
    for target in COMPRESSED:
        for media in (OCTETS, TYPES[target]):
            asked = form.format(media) + f"; transfer-syntax={target}"
            frame, kind_of_part = frame_of(answer := ask(client, url, asked))
            assert kind_of_part == f"{media}; transfer-syntax={target}"
            photometric = answer.headers.get("hilum-photometric-interpretation", kind.photometric)
            if photometric == "RGB" and target in {JPEG_2000, HTJ2K, RPCL}:
                photometric = "YBR_RCT"
            assert (decoded(frame, target, last, photometric) == last).all(), target


@pytest.mark.parametrize(("media", "syntax"), [(TYPES[s], s) for s in (RLE, JPEG_LS, JPEG_2000, HTJ2K)])
def test_a_media_type_means_its_own_syntax(root: str, client: httpx.Client, media: str, syntax: str) -> None:
    item = kept(root, picture(noise(1, 8, 8)))
    assert (
        frame_of(ask(client, f"{item.path(root)}/frames/1", media))[1] == f"{media}; transfer-syntax={syntax}"
    )


def test_any_syntax_of_a_frame_is_the_stored_one(root: str, client: httpx.Client) -> None:
    item = kept(root, picture(noise(2, 8, 8), syntax=RPCL))
    for accept in (
        f"{OCTETS}; transfer-syntax=*",
        f"multipart/related; type={OCTETS}; transfer-syntax=*",
        "image/jphc",
        "image/*",
        "*/*",
        "",
        f"image/jls; q=0.5, multipart/related; type={OCTETS}; transfer-syntax=*",
    ):
        frame, kind = frame_of(ask(client, f"{item.path(root)}/frames/2", accept))
        assert frame in item.dataset
        assert kind.endswith(f"; transfer-syntax={RPCL}")


def test_several_frames_are_made_one_by_one(root: str, client: httpx.Client) -> None:
    samples = noise(4, 16, 16)
    item = kept(root, picture(samples, syntax=RPCL))
    answer = ask(client, f"{item.path(root)}/frames/4,1", f"multipart/related; type={OCTETS}")
    assert [part.body for part in parts_of(answer)] == [samples[3].tobytes(), samples[0].tobytes()]
    assert int(answer.headers["content-length"]) == len(answer.content)
    part = ask(
        client, f"{item.path(root)}/frames/4,1", f"multipart/related; type={OCTETS}", Range="bytes=100-899"
    )
    assert (part.status_code, part.content) == (206, answer.content[100:900])
    answer = ask(client, f"{item.path(root)}/frames/4,1", "multipart/related; type=image/jls")
    assert len(parts_of(answer)) == 2
    assert "accept-ranges" not in answer.headers


def test_a_lossy_frame_is_said_to_have_become_red_green_and_blue(root: str, client: httpx.Client) -> None:
    item = kept(root, packaged("SC_rgb_jpeg_dcmtk.dcm"))
    answer = ask(client, f"{item.path(root)}/frames/1", OCTETS)
    assert answer.headers["hilum-photometric-interpretation"] == "RGB"
    whole = ask(client, item.path(root), f"{DICOM}; transfer-syntax={EXPLICIT}")
    made = read(whole.content)
    assert (made.PhotometricInterpretation, made.LossyImageCompression) == ("RGB", "01")
    assert made.PixelData == answer.content
    assert made.SOPInstanceUID == item.instance


def test_a_frame_that_is_broken_is_406(root: str, client: httpx.Client) -> None:
    good = picture(noise(3, 32, 32), syntax=JPEG_LS)
    at = good.file.rindex(b"\xff\xd8\xff") + 40
    item = kept(root, DicomObject("", good.study, good.series, good.instance, good.sop_class, JPEG_LS, b"",
                                  good.file[:at] + bytes(200) + good.file[at + 200 :]))  # fmt: skip
    url = f"{item.path(root)}/frames"
    assert ask(client, f"{url}/1", OCTETS).status_code == 200
    assert ask(client, f"{url}/3", OCTETS).status_code == 406
    assert ask(client, f"{url}/3", f"{OCTETS}; transfer-syntax=*").status_code == 200
    assert ask(client, item.path(root), f"{DICOM}; transfer-syntax={EXPLICIT}").status_code == 406


def test_an_answer_that_breaks_off_is_seen_to(root: str, client: httpx.Client) -> None:
    """More than has been made when the status goes out: the last chunk is never sent."""
    good = picture(noise(40, 256, 256), syntax=JPEG_LS)
    at = good.file.rindex(b"\xff\xd8\xff") + 40
    item = kept(root, DicomObject("", good.study, good.series, good.instance, good.sop_class, JPEG_LS, b"",
                                  good.file[:at] + bytes(200) + good.file[at + 200 :]))  # fmt: skip
    with pytest.raises(httpx.RemoteProtocolError):
        ask(client, item.path(root), f"{DICOM}; transfer-syntax={EXPLICIT}")
    with pytest.raises(httpx.RemoteProtocolError):
        ask(client, f"{root}/studies/{item.study}", f"multipart/related; type={DICOM}; transfer-syntax={RLE}")


def test_packaged_files_of_every_origin(root: str, client: httpx.Client) -> None:
    """Big endian, deflated, odd and old ones too: what pydicom reads of them is what goes out."""
    compared = set()
    for wave in corpus.waves():
        assert Web(root).store(wave).status in {200, 202}
        for item in wave:
            answer = ask(client, item.path(root), f"{DICOM}; transfer-syntax={EXPLICIT}")
            assert answer.status_code in {200, 406}, item.name
            if answer.status_code == 406:
                print(f"{item.name}: {answer.json()['detail']}")
                continue
            assert read(answer.content).file_meta.TransferSyntaxUID == EXPLICIT
            if same_samples(item, answer.content):
                compared.add(item.transfer_syntax)
    assert compared >= {IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN, RLE, JPEG_LS, JPEG_2000}


def same_samples(item: DicomObject, made: bytes) -> bool:
    """False where pydicom cannot read the original or the codec is lossy."""
    if item.transfer_syntax in LOSSY or "PixelData" not in read(item.part10()):
        return False
    try:
        before = samples_of(item.part10())
    except (RuntimeError, ValueError, AttributeError, NotImplementedError) as error:
        print(f"{item.name}: {type(error).__name__}")
        return False
    assert (samples_of(made) == before).all(), item.name
    return True


def test_a_large_object_takes_little_memory(run: Run, tmp_path: Path, client: httpx.Client) -> None:
    root = run(Config(data=tmp_path / "data")) + "/dicom-web"
    large = large_file(tmp_path, frames=48)  # 96 MiB
    assert Web(root).store_file(large.path).status == 200
    url = f"{root}/studies/{large.study}/series/{large.series}/instances/{large.instance}"
    process, size = psutil.Process(), 0
    before = highest = process.memory_info().rss
    with client.stream("GET", url, headers={"Accept": f"{DICOM}; transfer-syntax={RPCL}"}) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_raw():
            size += len(piece)
            highest = max(highest, process.memory_info().rss)
    assert size > 90 << 20
    assert highest - before < 80 << 20
