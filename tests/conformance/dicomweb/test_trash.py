"""Delete over HTTP, and what the other resources say of what was deleted."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from pacs.auth import tokens
from pacs.config import AuthConfig, Config, TokenEntry
from tests.conformance.dicomweb.conftest import running
from tests.support.dicom_object import DicomObject
from tests.support.factory import ct_series, fresh_uid
from tests.support.web_client import Web, value

TOKENS = {"viewer": tokens.create(), "sender": tokens.create(), "admin": tokens.create()}
AUTH = AuthConfig(
    tokens=(
        TokenEntry("viewer", TOKENS["viewer"][1], ("viewer",)),
        TokenEntry("sender", TOKENS["sender"][1], ("sender", "viewer")),
        TokenEntry("admin", TOKENS["admin"][1], ("admin",)),
    )
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(Config(data=tmp_path_factory.mktemp("trash"), auth=AUTH)) as url:
        yield url


def as_(role: str) -> httpx.Client:
    return httpx.Client(headers={"Authorization": f"Bearer {TOKENS[role][0]}"}, timeout=60)


@pytest.fixture
def admin() -> Iterator[httpx.Client]:
    with as_("admin") as client:
        yield client


@pytest.fixture
def items(url: str) -> tuple[DicomObject, ...]:
    study = fresh_uid()
    items = (
        *ct_series(2, study=study, rows=8, columns=8),
        *ct_series(1, study=study, rows=8, columns=8),
    )
    shown = {"Authorization": f"Bearer {TOKENS['admin'][0]}"}
    assert Web(f"{url}/dicom-web", shown).store(items).status == 200
    return items


def addresses(item: DicomObject) -> tuple[str, ...]:
    study = f"/dicom-web/studies/{item.study}"
    series = f"{study}/series/{item.series}"
    instance = f"{series}/instances/{item.instance}"
    last = (f"{instance}/frames/1", f"{instance}/bulkdata/7FE00010", f"{instance}/rendered")
    return (instance, f"{instance}/metadata", *last, f"{instance}/thumbnail")


def test_deleted_is_gone_for_everybody_and_comes_back(
    url: str, admin: httpx.Client, items: tuple[DicomObject, ...]
) -> None:
    study = f"{url}/dicom-web/studies/{items[0].study}"
    before = admin.get(f"{study}/metadata").json()
    why = {"X-Reason": quote("falsch geschickt, für Prüfung")}
    answer = admin.delete(study, headers=why)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["level"], told["study"], told["instances"]) == ("study", items[0].study, 3)
    assert (told["by"], told["reason"]) == ("admin", "falsch geschickt, für Prüfung")
    for path in (*addresses(items[0]), f"/dicom-web/studies/{items[0].study}"):
        gone = admin.get(url + path, headers={"Accept": "*/*"})
        assert gone.status_code == 410, path
        assert gone.headers["content-type"] == "application/problem+json"
    assert admin.get(f"{url}/dicom-web/studies", params={"StudyInstanceUID": items[0].study}).json() == []
    assert admin.delete(study).status_code == 410
    assert admin.get(f"{url}/dicom-web/studies/1.2.3").status_code == 404
    assert told["id"] in [one["id"] for one in admin.get(f"{url}/api/trash").json()["items"]]
    assert admin.get(f"{url}/api/trash/{told['id']}").json()["state"] == "trashed"

    restored = admin.post(f"{url}/api/trash/{told['id']}/restore")
    assert restored.status_code == 200, restored.text
    assert admin.get(f"{study}/metadata").json() == before
    for path in addresses(items[0]):
        assert admin.get(url + path, headers={"Accept": "*/*"}).status_code == 200, path
    assert admin.post(f"{url}/api/trash/{told['id']}/restore").status_code == 404
    assert admin.get(f"{url}/api/trash/{told['id']}").status_code == 404


def test_counts_are_exact_after_partial_deletes(
    url: str, admin: httpx.Client, items: tuple[DicomObject, ...]
) -> None:
    def counts() -> tuple[int, int]:
        found = admin.get(f"{url}/dicom-web/studies", params={"StudyInstanceUID": items[0].study}).json()
        return value(found[0], "00201206"), value(found[0], "00201208")

    assert counts() == (2, 3)
    one = f"{url}{addresses(items[0])[0]}"
    assert admin.delete(one).json()["level"] == "instance"
    assert counts() == (2, 2)
    series = f"{url}/dicom-web/studies/{items[0].study}/series/{items[2].series}"
    assert admin.delete(series).json()["level"] == "series"
    assert counts() == (1, 1)
    assert admin.get(one, headers={"Accept": "*/*"}).status_code == 410
    shown = {"Authorization": f"Bearer {TOKENS['admin'][0]}"}
    assert Web(f"{url}/dicom-web", shown).store(items[:1]).status == 200
    assert counts() == (1, 2)
    beyond = admin.get(f"{one}/frames/9")
    assert beyond.status_code == 404, "what has arrived anew is not gone"


@pytest.mark.parametrize("role", ["viewer", "sender"])
def test_without_the_right_nothing_is_deleted(
    url: str, admin: httpx.Client, items: tuple[DicomObject, ...], role: str
) -> None:
    with as_(role) as client:
        study = f"{url}/dicom-web/studies/{items[0].study}"
        assert client.delete(study).status_code == 403
        assert client.get(f"{url}/api/trash").status_code == 403
        assert client.post(f"{url}/api/trash/x/restore").status_code == 403
    assert admin.get(f"{study}/metadata").status_code == 200


def test_pages_of_the_trash(url: str, admin: httpx.Client, items: tuple[DicomObject, ...]) -> None:
    for item in items:
        assert admin.delete(url + addresses(item)[0]).status_code == 200
    seen: list[str] = []
    following: str | None = "0"
    while following is not None:
        page = admin.get(f"{url}/api/trash", params={"limit": 2, "before": following}).json()
        seen += [one["id"] for one in page["items"]]
        following = page["next"]
    assert len(seen) == len(set(seen)) >= 3
    whole = admin.get(f"{url}/api/trash", params={"limit": 500}).json()["items"]
    assert seen == [one["id"] for one in whole]
    for bad in ({"limit": "x"}, {"limit": "0"}, {"before": "-1"}):
        assert admin.get(f"{url}/api/trash", params=bad).status_code == 400
    assert admin.delete(url + addresses(items[0])[0], headers={"X-Reason": "x" * 501}).status_code == 400


def test_a_path_in_which_an_instance_is_not(
    url: str, admin: httpx.Client, items: tuple[DicomObject, ...], tmp_path: Path
) -> None:
    """An instance is named by all three UIDs."""
    wrong = f"{url}/dicom-web/studies/{items[0].study}/series/{items[2].series}/instances/{items[0].instance}"
    assert admin.delete(wrong).status_code == 404
    assert admin.delete(f"{url}/dicom-web/studies/x").status_code == 400
