"""QIDO-RS as clients use it (PS3.18 10.6)."""

import json
from pathlib import Path

import httpx
import pytest

from pacs.config import Config
from tests.conformance.dicomweb.conftest import Run, packaged
from tests.support import corpus
from tests.support.factory import Patient, ct_series
from tests.support.web_client import Web, value, values

STUDIES = {item.study for item in corpus.waves()[0]}
CT = packaged("CT_small.dcm")
MR = packaged("MR_small.dcm")


def found(web: Web, **params: str) -> set[str]:
    return {value(study, "0020000D") for study in web.search("/studies", params)}


def test_the_first_page_of_a_viewer(root: str, client: httpx.Client) -> None:
    query = "limit=101&offset=0&fuzzymatching=true&includefield=00081030,00080060"
    answer = client.get(f"{root}/studies?{query}", headers={"Accept": "application/dicom+json"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    assert "warning" not in answer.headers
    assert {value(study, "0020000D") for study in answer.json()} == STUDIES
    assert all("00081030" in study for study in answer.json())


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/dicom+json", 200),
        ("application/json", 200),
        ("*/*", 200),
        ("", 200),
        ("application/dicom+xml, application/dicom+json;q=0.5", 200),
        ("text/html,application/xhtml+xml,*/*;q=0.8", 200),
        ("application/dicom+xml", 406),
        ('multipart/related; type="application/dicom+xml"', 200),
        ("application/dicom+json;q=x", 406),
    ],
)
def test_accept(root: str, client: httpx.Client, accept: str, status: int) -> None:
    answer = client.get(f"{root}/studies", headers={"Accept": accept})
    assert answer.status_code == status
    assert "charset" not in answer.headers["content-type"]


def test_what_every_level_carries(web: Web) -> None:
    base = {"00080005", "00081190"}
    study = (
        "0020000D 00080020 00080030 00080050 00080056 00080061 00080090 00100010 00100020 00100030 00100040"
    )
    (one,) = web.search("/studies", {"StudyInstanceUID": CT.study})
    assert base | {*study.split(), "00200010", "00201206", "00201208"} <= set(one)
    assert list(one) == sorted(one)
    (one,) = web.search(f"/studies/{CT.study}/series")
    assert base | {"0020000D", "0020000E", "00080060", "00201209"} <= set(one)
    (one,) = web.search(f"/studies/{CT.study}/series/{CT.series}/instances")
    assert base | {"0020000D", "0020000E", "00080018", "00080016", "00280010", "00280011"} <= set(one)


def test_every_retrieve_url_answers(web: Web, client: httpx.Client) -> None:
    for path in ("/studies", "/series", "/instances"):
        for match in web.search(path, {"PatientID": value(web.search("/studies")[0], "00100020")}):
            answer = client.head(value(match, "00081190"))
            assert answer.status_code == 200
            assert answer.content == b""


@pytest.mark.parametrize(
    "path",
    [
        "/series?StudyInstanceUID={study}",
        "/studies/{study}/series",
        "/series?SeriesInstanceUID={series}",
        "/series?0020000e={series}&0020000D={study}",
    ],
)
def test_series_of_a_study_by_every_address(web: Web, path: str) -> None:
    (one,) = httpx.get(web.root + path.format(study=CT.study, series=CT.series)).json()
    assert value(one, "0020000E") == CT.series


def test_the_address_and_a_key_both_hold(web: Web) -> None:
    assert web.search(f"/studies/{CT.study}/series", {"StudyInstanceUID": MR.study}) == []


def test_lists_of_uids(web: Web) -> None:
    both = {CT.study, MR.study}
    assert found(web, StudyInstanceUID=f"{CT.study},{MR.study}") == both
    assert found(web, StudyInstanceUID=f"{CT.study}\\{MR.study}") == both
    assert {
        value(study, "0020000D")
        for study in web.search("/studies", [("StudyInstanceUID", CT.study), ("0020000D", MR.study)])
    } == both


def test_lists_of_modalities(web: Web) -> None:
    ct, mr = found(web, ModalitiesInStudy="CT"), found(web, ModalitiesInStudy="MR")
    assert CT.study in ct
    assert MR.study in mr
    for wanted in ("CT,MR", "CT\\MR"):
        assert found(web, ModalitiesInStudy=wanted) == ct | mr
        paged = [
            found(web, ModalitiesInStudy=wanted, limit="1", offset=str(n)) for n in range(len(ct | mr) + 2)
        ]
        assert set.union(*paged) == ct | mr
        assert sum(map(len, paged)) == len(ct | mr)


@pytest.mark.parametrize(
    "params",
    [
        {"PatientName": "COMPRESSEDSAMPLES^ct1"},
        {"PatientName": "*samples^ct*"},
        {"00100010": "Compressed?amples^CT1"},
        {"PatientID": "?CT1"},
        {"StudyDate": "20040119"},
        {"StudyDate": "20040101-20040131"},
        {"StudyDate": "20040119-20040119", "StudyTime": "072730-"},
        {"SOPInstanceUID": CT.instance},
    ],
    ids=str,
)
def test_matching(web: Web, params: dict[str, str]) -> None:
    assert found(web, **params) == {CT.study}


@pytest.mark.parametrize("params", [{"PatientName": ""}, {"PatientName": "*"}, {"PatientID": "*"}], ids=str)
def test_universal_matching(web: Web, params: dict[str, str]) -> None:
    assert found(web, **params) == STUDIES


@pytest.mark.parametrize("name", ["日本^花子", "é,пример", "A B+C=D^&E"])
def test_names_in_any_script_come_through_the_address(run: Run, tmp_path: Path, name: str) -> None:
    web = Web(run(Config(data=tmp_path / "data")) + "/dicom-web")
    items = ct_series(1, patient=Patient(name=name.replace("=", "-"), id="N=1+2 3"))
    assert web.store(items).status == 200
    assert found(web, PatientName=name.replace("=", "-")) == {items[0].study}
    assert found(web, PatientID="N=1+2 3") == {items[0].study}


def test_returned_fields(web: Web) -> None:
    def fields(**params: str) -> set[str]:
        (one,) = web.search("/studies", params | {"StudyInstanceUID": CT.study})
        return set(one)

    plain = fields()
    assert fields(includefield="StudyDescription,PatientAge") - plain == {"00081030", "00101010"}
    assert fields(includefield="00081030") - plain == {"00081030"}
    assert fields(includefield="Modality") == plain  # unknown at this level
    assert fields(includefield="all") > plain
    many = web.search(
        "/studies",
        [
            ("StudyInstanceUID", CT.study),
            ("includefield", "StudyDescription"),
            ("includefield", "PatientAge"),
        ],
    )
    assert {"00081030", "00101010"} <= set(many[0])


def test_an_unknown_returned_field_is_named_and_left_out(root: str, client: httpx.Client) -> None:
    answer = client.get(f"{root}/studies", params={"includefield": "Nonsense", "limit": "1"})
    assert answer.status_code == 200
    assert "Nonsense" in answer.headers["warning"]


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("limit=", "limit"),
        ("offset=-1", "offset"),
        ("offset=1.5", "offset"),
        ("fuzzymatching=maybe", "fuzzymatching"),
        ("PatientNam=x", "PatientNam"),
        ("PatientName.PatientID=x", "PatientName"),
        ("StudyDate=2004-01-19", "StudyDate"),
        ("StudyDate=20041340", "StudyDate"),
        ("StudyInstanceUID=1.2.x", "StudyInstanceUID"),
    ],
)
def test_what_cannot_be_asked(root: str, client: httpx.Client, query: str, word: str) -> None:
    answer = client.get(f"{root}/studies?{query}")
    assert answer.status_code == 400
    assert word in answer.json()["detail"]


def test_paging(web: Web, root: str, client: httpx.Client) -> None:
    everything = [value(study, "0020000D") for study in web.search("/studies")]
    paged: list[str] = []
    while page := web.search("/studies", {"limit": "7", "offset": str(len(paged))}):
        paged += [value(study, "0020000D") for study in page]
    assert paged == everything
    assert web.search("/studies", {"offset": "100000"}) == []
    assert web.search("/studies", {"limit": "0"}) == []
    huge = client.get(f"{root}/studies", params={"limit": "999999999"})
    assert huge.status_code == 200
    assert "warning" not in huge.headers


def test_a_cut_answer_says_so(filled: str, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb.qido.DEFAULT_LIMIT", 2)
    answer = client.get(f"{filled}/dicom-web/studies")
    assert len(answer.json()) == 2
    assert "The number of results exceeded" in answer.headers["warning"]
    assert "warning" not in client.get(f"{filled}/dicom-web/studies?limit=2").headers


def test_counts_are_there_at_once(empty: str) -> None:
    web = Web(f"{empty}/dicom-web")
    items = ct_series(3)
    for count, item in enumerate(items, 1):
        assert web.store([item]).status == 200
        (study,) = web.search("/studies")
        assert value(study, "00201208") == count
        assert values(study, "00080061") == ["CT"]


def test_head_and_the_accept_parameter(root: str, client: httpx.Client) -> None:
    head = client.head(f"{root}/studies")
    assert (head.status_code, head.content) == (200, b"")
    url = f"{root}/studies?accept=application/dicom%2Bjson&limit=1"
    assert len(json.loads(client.get(url, headers={"Accept": "application/dicom+xml"}).text)) == 1
