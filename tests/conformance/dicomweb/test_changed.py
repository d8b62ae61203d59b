"""What becomes of tags, of the first object and of the sender when other bytes come under a known UID, or
when there is no room (PS3.18 8.6, 10.5.3; RFC 9110 8.8.3)."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pacs.config import Config, StoreConfig
from tests.conformance.dicomweb.conftest import Run, running
from tests.support.factory import ct_series, with_changes
from tests.support.web_client import Web, digests_of, value

DICOM = "application/dicom"
FORMS = {
    "": DICOM, "/metadata": "application/dicom+json", "/frames/1": "application/octet-stream",
    "/bulkdata/7FE00010": "application/octet-stream", "/rendered": "image/png", "/thumbnail": "image/png",
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(Config(data=tmp_path_factory.mktemp("changed"))) as url:
        yield f"{url}/dicom-web"


def ask(url: str, accept: str, **headers: str) -> httpx.Response:
    more = {"Accept": accept, "Accept-Encoding": "identity"}
    return httpx.get(url, headers=more | headers, timeout=30)


def test_tags_are_strong_and_change_with_every_edit(root: str) -> None:
    """Edits within one second, too: they are made of what is inside, not of when."""
    first = ct_series(1, rows=16, columns=16)[0]
    versions = [first, *(with_changes(first, PatientComments=word) for word in ("one", "two", "six"))]
    addresses = {first.path(root) + path: accept for path, accept in FORMS.items()}
    series = f"{root}/studies/{first.study}/series/{first.series}"
    for above in (f"{root}/studies/{first.study}", series):
        addresses[f"{above}/metadata"] = "application/dicom+json"
        addresses[above] = 'multipart/related; type="application/dicom"'
        addresses[f"{above}/thumbnail"] = "image/png"
    seen: dict[str, list[str]] = {url: [] for url in addresses}
    for version in versions:
        assert Web(root).store([version]).status == 200
        for url, accept in addresses.items():
            fresh = ask(url, accept, **({"If-None-Match": ", ".join(seen[url])} if seen[url] else {}))
            assert fresh.status_code == 200, url
            tag = fresh.headers["etag"]
            assert tag.startswith('"')
            assert ask(url, accept, **{"If-None-Match": tag}).status_code == 304, url
            seen[url].append(tag)
    for url, tags in seen.items():
        assert len(set(tags)) == len(versions), url


def test_the_first_stays_where_it_is_to_be_kept(run: Run, tmp_path: Path) -> None:
    store = StoreConfig(conflict="keep-first")
    web = Web(run(Config(data=tmp_path / "data", store=store)) + "/dicom-web")
    first = ct_series(1, rows=16, columns=16)[0]
    second = with_changes(first, PatientComments="other")
    assert web.store([first]).status == 200
    refused = web.store([second])
    assert (refused.status, refused.failed) == (409, {first.instance: 0x0111})
    assert web.store([first]).status == 200
    assert digests_of(web.objects(first.path())) == [first.digest]
    (study,) = web.search("/studies")
    assert value(study, "00201208") == 1
    kept = [path.read_bytes() for path in (tmp_path / "data" / "quarantine").rglob("*") if path.is_file()]
    assert any(content.endswith(second.dataset) for content in kept), "what was refused is kept aside"


def test_a_full_disk_is_503_until_there_is_space(root: str) -> None:
    """Nothing of the object stays, what came before it does, and the same request is taken later."""
    (small,), (big,) = ct_series(1, rows=8, columns=8), ct_series(1, rows=2048, columns=2048)
    with no_file_beyond(4 << 20):
        for kind in ("", f"/{small.study}"):
            answer = httpx.post(
                f"{root}/studies{kind}", content=big.part10(), headers={"Content-Type": DICOM}, timeout=60
            )
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
        assert Web(root).store([small]).status == 200
        assert Web(root).store([small, big]).status == 503
    assert httpx.get(f"{root}/studies/{big.study}/metadata").status_code == 404
    assert Web(root).store([big]).status == 200
    assert digests_of(Web(root).objects(big.path())) == [big.digest]


@contextlib.contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Writes fail beyond so many bytes of a file, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
