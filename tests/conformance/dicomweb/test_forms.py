"""In which form, transfer syntax and completeness instances go out (PS3.18 8.7.3.5, 8.3.4, 10.4.3)."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pydicom
import pytest

from pacs.config import load
from pacs.runtime import Archive, open_archive
from tests.conformance.dicomweb.conftest import serving
from tests.support import corpus
from tests.support.compressible import picture
from tests.support.dicom_object import DicomObject, dataset_of
from tests.support.factory import ct_series
from tests.support.recompressing import AT_ONCE, recompress
from tests.support.web_client import Web, digests_of, parts_of

EXPLICIT = "1.2.840.10008.1.2.1"
RPCL = "1.2.840.10008.1.2.4.202"
DICOM = 'multipart/related; type="application/dicom"'
ZIP = "application/zip"


@dataclass(frozen=True, slots=True)
class Room:
    archive: Archive
    root: str
    recompressed: DicomObject
    jpeg: DicomObject
    series: tuple[DicomObject, ...]


def named(name: str) -> DicomObject:
    return next(item for item in corpus.waves()[0] if item.name.endswith("/" + name))


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    archive = open_archive(load(AT_ONCE, {}, {"data": str(tmp_path_factory.mktemp("forms"))}))
    try:
        with serving(archive) as url:
            root = f"{url}/dicom-web"
            recompressed, jpeg, series = picture(), named("SC_rgb_jpeg.dcm"), ct_series(4)
            assert Web(root).store([recompressed, jpeg, *series]).status == 200
            recompress(archive, [recompressed])
            yield Room(archive, root, recompressed, jpeg, series)
    finally:
        archive.close()


def ask(client: httpx.Client, url: str, accept: str = "*/*", **headers: str) -> httpx.Response:
    return client.get(url, headers={"Accept": accept} | headers)


@pytest.mark.parametrize("accept", ["", "*/*", "application/dicom", "application/*", DICOM])
def test_who_names_no_transfer_syntax_gets_what_was_received_uncompressed(
    room: Room, client: httpx.Client, accept: str
) -> None:
    answer = ask(client, room.recompressed.path(room.root), accept)
    body = parts_of(answer)[0].body if "multipart" in answer.headers["content-type"] else answer.content
    assert hashlib.sha256(dataset_of(body)).hexdigest() == room.recompressed.digest


@pytest.mark.parametrize("accept", ["", "application/dicom", DICOM])
def test_who_names_no_transfer_syntax_gets_a_compressed_object_decoded(
    room: Room, client: httpx.Client, accept: str
) -> None:
    answer = ask(client, room.jpeg.path(room.root), accept)
    body = parts_of(answer)[0].body if accept == DICOM else answer.content
    given = pydicom.dcmread(io.BytesIO(body))
    assert given.file_meta.TransferSyntaxUID == EXPLICIT
    assert given.LossyImageCompression == "01"
    assert len(given.PixelData) == given.Rows * given.Columns * 3


@pytest.mark.parametrize(
    "accept",
    [
        f"{DICOM}; transfer-syntax=*",
        "multipart/related;TYPE=application/dicom;Transfer-Syntax=*",
        'multipart/related; transfer-syntax=*; type="application/dicom"',
        'Multipart/Related ; type="application/dicom" ; transfer-syntax="*"',
        f"{DICOM}; transfer-syntax={RPCL}",
        f"{DICOM}; transfer-syntax=*, application/json;q=0.1",
        f"{DICOM};q=0.5, {DICOM}; transfer-syntax=*",
    ],
)
def test_who_takes_any_gets_what_is_stored(room: Room, client: httpx.Client, accept: str) -> None:
    (part,) = parts_of(ask(client, room.recompressed.path(room.root), accept))
    assert part.headers["content-type"] == f"application/dicom;transfer-syntax={RPCL}"


@pytest.mark.parametrize(
    ("query", "header"),
    [
        ("accept=application/dicom", "image/png"),
        ("accept=application%2Fdicom%3B%20transfer-syntax%3D*", "text/html"),
        ("accept=multipart%2Frelated%3B%20type%3D%22application%2Fdicom%22", "text/html"),
    ],
)
def test_the_parameter_wins_over_the_header(
    room: Room, client: httpx.Client, query: str, header: str
) -> None:
    assert ask(client, f"{room.series[0].path(room.root)}?{query}", header).status_code == 200


@pytest.mark.parametrize(
    ("accept", "transfer_syntax"),
    [
        (f"application/dicom; transfer-syntax={RPCL};q=0.4, application/dicom;q=0.5", EXPLICIT),
        (f"application/dicom; transfer-syntax={RPCL};q=0.6, application/dicom;q=0.5", RPCL),
    ],
)
def test_quality_decides(room: Room, client: httpx.Client, accept: str, transfer_syntax: str) -> None:
    answer = ask(client, room.recompressed.path(room.root), accept)
    assert answer.headers["content-type"] == f"application/dicom;transfer-syntax={transfer_syntax}"


def test_no_two_representations_share_a_tag(room: Room, client: httpx.Client) -> None:
    url = room.recompressed.path(room.root)
    wanted = [
        "application/dicom",
        "application/dicom; transfer-syntax=*",
        DICOM,
        f"{DICOM}; transfer-syntax=*",
        ZIP,
    ]
    tags = {ask(client, url, accept).headers["etag"] for accept in wanted}
    assert len(tags) == len(wanted)
    for accept in wanted:
        tag = ask(client, url, accept).headers["etag"]
        assert tag.startswith('"')
        assert ask(client, url, accept, **{"If-None-Match": tag}).status_code == 304
        assert client.head(url, headers={"Accept": accept}).headers["etag"] == tag


@pytest.mark.parametrize("level", ["study", "series", "instance"])
def test_one_zip_archive(room: Room, client: httpx.Client, level: str) -> None:
    one = room.series[0]
    paths = {
        "study": f"/studies/{one.study}",
        "series": f"/studies/{one.study}/series/{one.series}",
        "instance": one.path(),
    }
    answer = ask(client, room.root + paths[level], ZIP)
    assert (answer.status_code, answer.headers["content-type"]) == (200, ZIP)
    items = room.series if level != "instance" else (one,)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        kept = {name: archive.read(name) for name in archive.namelist()}
    assert kept == {f"{item.series}/{item.instance}.dcm": item.part10() for item in items}
    assert ask(client, room.root + paths[level], ZIP).content == answer.content


def test_a_zip_archive_in_the_transfer_syntax_that_is_asked_for(room: Room, client: httpx.Client) -> None:
    url = room.recompressed.path(room.root)
    for accept, expected in ((ZIP, EXPLICIT), (f"{ZIP}; transfer-syntax=*", RPCL)):
        with zipfile.ZipFile(io.BytesIO(ask(client, url, accept).content)) as archive:
            (name,) = archive.namelist()
            given = pydicom.dcmread(io.BytesIO(archive.read(name)))
        assert given.file_meta.TransferSyntaxUID == expected


@pytest.mark.parametrize("harm", ["lost", "cut"])
@pytest.mark.parametrize("accept", [f"{DICOM}; transfer-syntax=*", DICOM, ZIP])
def test_a_study_with_one_unreadable_object(room: Room, client: httpx.Client, accept: str, harm: str) -> None:
    items = ct_series(3)
    assert Web(room.root).store(items).status == 200
    (file,) = room.archive.stores.hot.root.rglob(f"{items[1].instance}*.dcm")
    if harm == "lost":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-100])
    answer = ask(client, f"{room.root}/studies/{items[0].study}", accept)
    assert answer.status_code == 206
    assert answer.headers["warning"].startswith("299 ")
    assert "etag" not in answer.headers
    if accept == ZIP:
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            given = {archive.read(name) for name in archive.namelist()}
        assert given == {items[0].part10(), items[2].part10()}
        url = f"{room.root}/studies/{items[0].study}?dicomdir=true"
        with zipfile.ZipFile(io.BytesIO(ask(client, url, accept).content)) as archive:
            directory = archive.read("DICOMDIR")
        assert [one.instance.encode() in directory for one in items] == [True, False, True]
    else:
        assert sorted(digests_of(parts_of(answer))) == sorted([items[0].digest, items[2].digest])
    assert ask(client, items[1].path(room.root), "application/dicom").status_code in {404, 503}
