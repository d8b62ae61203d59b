"""A study as a file-set: its DICOMDIR is read by pydicom and by DCMTK."""

import io
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pydicom
import pytest
from pydicom.fileset import FileSet

from pacs.config import Config
from tests.conformance.dicomweb.conftest import running
from tests.support import corpus
from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, ct_series, fresh_uid, with_changes
from tests.support.web_client import Web


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(Config(data=tmp_path_factory.mktemp("file-set"))) as url:
        assert Web(f"{url}/dicom-web").store(corpus.waves()[0]).status == 200
        yield f"{url}/dicom-web"


@pytest.fixture(autouse=True)
def staged(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """pydicom leaves the folder for what is added to a file-set behind, and Python warns of it."""
    monkeypatch.setattr(
        "pydicom.fileset.TemporaryDirectory",
        lambda: SimpleNamespace(name=tmp_path_factory.mktemp("staged"), cleanup=lambda: None),
    )


def file_set(client: httpx.Client, url: str, folder: Path, accept: str = "application/zip") -> FileSet:
    answer = client.get(f"{url}?dicomdir=true", headers={"Accept": accept})
    assert answer.status_code == 200, answer.text
    assert client.get(f"{url}?dicomdir=true", headers={"Accept": accept}).content == answer.content
    assert client.get(url, headers={"Accept": accept}).headers["etag"] != answer.headers["etag"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[-1] == "DICOMDIR"
        archive.extractall(folder)
    return FileSet(folder / "DICOMDIR")


def test_a_file_set_of_several_series(root: str, client: httpx.Client, tmp_path: Path) -> None:
    study, patient = fresh_uid(), Patient(id="SYN-9", name="山田^太郎")
    items = [
        item
        for number in (2, 1, 3)
        for one in ct_series(number + 2, study=study, rows=8, columns=8, patient=patient)
        for item in [with_changes(one, SeriesNumber=number)]
    ]
    assert Web(root).store(items).status == 200
    found = file_set(client, f"{root}/studies/{study}", tmp_path)
    assert {one.SOPInstanceUID: Path(one.path).read_bytes() for one in found} == {
        item.instance: item.part10() for item in items
    }
    assert all(one.FileID.startswith("DICOM/SE00000") or "SE00000" in one.FileID for one in found)
    assert [len(found.find(SeriesInstanceUID=uid)) for uid in {item.series for item in items}].count(0) == 0
    directory = pydicom.dcmread(tmp_path / "DICOMDIR")
    records = directory.DirectoryRecordSequence
    assert [one.DirectoryRecordType for one in records].count("SERIES") == 3
    assert str(records[0].PatientName) == "山田^太郎"
    assert [one.InstanceNumber for one in records if one.DirectoryRecordType == "IMAGE"][:3] == [1, 2, 3]


@pytest.mark.filterwarnings("ignore:Expected explicit VR")  # as one packaged file was sent
@pytest.mark.parametrize("accept", ["application/zip", "application/zip; transfer-syntax=*"])
def test_whatever_is_stored_is_in_the_directory(
    root: str, client: httpx.Client, tmp_path: Path, accept: str
) -> None:
    """What was sent is what the record says, also where it was converted."""
    kinds = set()
    for number, items in enumerate(by_study(corpus.waves()[0])):
        folder = tmp_path / str(number)
        found = file_set(client, f"{root}/studies/{items[0].study}", folder, accept)
        for one in found:
            sent = pydicom.dcmread(one.path, stop_before_pixels=True)
            assert sent.SOPInstanceUID == one.SOPInstanceUID
            assert sent.file_meta.TransferSyntaxUID == one.ReferencedTransferSyntaxUIDInFile
            assert sent.StudyInstanceUID == one.StudyInstanceUID
            kinds.add(one.DirectoryRecordType)
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert len(files) - 1 == len(items)
    assert "IMAGE" in kinds
    assert len(kinds) > 2, kinds


def by_study(items: tuple[DicomObject, ...]) -> list[list[DicomObject]]:
    studies: dict[str, list[DicomObject]] = {}
    for item in items:
        studies.setdefault(item.study, []).append(item)
    return list(studies.values())


@pytest.mark.peer("dcmtk")
def test_dcmtk_reads_it_and_adds_to_it(root: str, client: httpx.Client, tmp_path: Path) -> None:
    items = ct_series(3, rows=8, columns=8)
    assert Web(root).store(items).status == 200
    file_set(client, f"{root}/studies/{items[0].study}", tmp_path)
    dumped = subprocess.run(
        ["dcmdump", "+P", "0004,1500", str(tmp_path / "DICOMDIR")], capture_output=True, text=True, check=True
    )
    assert dumped.stdout.count(r"DICOM\SE000001\IM00000") == 3
    (tmp_path / "MORE").write_bytes(ct_series(1, rows=8, columns=8)[0].part10())
    added = ["dcmmkdir", "+A", "+I", "+m", "+id", str(tmp_path), "+D", str(tmp_path / "DICOMDIR"), "MORE"]
    done = subprocess.run(added, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(FileSet(tmp_path / "DICOMDIR")) == 4


def test_a_head_tells_what_a_get_does(root: str, client: httpx.Client) -> None:
    url = f"{root}/studies/{corpus.waves()[0][0].study}?dicomdir=true"
    accept = {"Accept": "application/zip"}
    whole, head = client.get(url, headers=accept), client.head(url, headers=accept)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == whole.headers["etag"]
    assert head.headers["content-type"] == whole.headers["content-type"] == "application/zip"
    again = client.get(url, headers={**accept, "If-None-Match": whole.headers["etag"]})
    assert again.status_code == 304


def test_what_cannot_be_asked(root: str, client: httpx.Client) -> None:
    url, accept = f"{root}/studies/{corpus.waves()[0][0].study}", {"Accept": "application/zip"}
    refused = client.get(f"{url}?dicomdir=perhaps", headers=accept)
    assert refused.status_code == 400
    assert "dicomdir" in refused.text
    assert client.get(f"{root}/studies/{fresh_uid()}?dicomdir=true", headers=accept).status_code == 404
    plain = client.get(url, headers=accept).headers["etag"]
    assert client.get(f"{url}?dicomdir=FALSE", headers=accept).headers["etag"] == plain


def test_other_forms_have_none(root: str, client: httpx.Client) -> None:
    url = f"{root}/studies/{corpus.waves()[0][0].study}"
    accept = {"Accept": "multipart/related; type=application/dicom; transfer-syntax=*"}
    assert (
        client.get(f"{url}?dicomdir=true", headers=accept).content == client.get(url, headers=accept).content
    )
