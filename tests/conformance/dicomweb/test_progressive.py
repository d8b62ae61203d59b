"""Frames of .202 streams as Cornerstone3D loads them: by byte range of one and the same multipart body."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import imagecodecs
import pytest

from pacs.config import Config
from tests.conformance.dicomweb.conftest import Run, running
from tests.support.dicom_object import DicomObject
from tests.support.pictures import Samples, picture, waves
from tests.support.web_client import Web, parts_of

RPCL = "1.2.840.10008.1.2.4.202"
ANY = "multipart/related; type=application/octet-stream; transfer-syntax=*"
ACCEPTED = [
    ANY,
    f"multipart/related; type=application/octet-stream; transfer-syntax={RPCL}",
    f'multipart/related; type="application/octet-stream"; transfer-syntax={RPCL}',
    f"multipart/related; type=image/jphc; transfer-syntax={RPCL}",
    "multipart/related; type=image/jphc",
    "application/octet-stream; transfer-syntax=*",
    f"image/jphc; transfer-syntax={RPCL}",
]
FIRST = 32_768


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, DicomObject, Samples]]:
    samples = waves(2, 700, 600)
    item = picture(samples, syntax=RPCL)
    with running(Config(data=tmp_path_factory.mktemp("progressive"))) as url:
        assert Web(f"{url}/dicom-web").store([item]).status == 200
        yield f"{item.path(url + '/dicom-web')}/frames/2", item, samples


def ask(client: httpx.Client, url: str, accept: str, span: str = "", **headers: str) -> httpx.Response:
    return client.get(
        url, headers={"Accept": accept} | ({"Range": f"bytes={span}"} if span else {}) | headers
    )


@pytest.mark.parametrize("accept", ACCEPTED)
def test_the_pieces_make_the_whole(
    kept: tuple[str, DicomObject, Samples], client: httpx.Client, accept: str
) -> None:
    url, item, samples = kept
    whole = ask(client, url, accept)
    size = len(whole.content)
    assert (whole.status_code, whole.headers["content-length"]) == (200, str(size))
    assert "content-encoding" not in whole.headers
    first, rest = ask(client, url, accept, f"0-{FIRST - 1}"), ask(client, url, accept, f"{FIRST}-")
    both = ask(client, url, accept, "0-")
    assert [answer.status_code for answer in (first, rest, both)] == [206] * 3
    assert first.headers["content-range"] == f"bytes 0-{FIRST - 1}/{size}"
    assert rest.headers["content-range"] == f"bytes {FIRST}-{size - 1}/{size}"
    assert both.headers["content-range"] == f"bytes 0-{size - 1}/{size}"
    assert first.content + rest.content == both.content == whole.content
    assert len({a.headers["content-type"] for a in (whole, first, rest, both)}) == 1
    assert len({a.headers["etag"] for a in (whole, first, rest, both)}) == 1
    for answer in (first, rest, both):
        assert "Content-Range" in answer.headers["access-control-expose-headers"]
    body = whole.content
    if whole.headers["content-type"].startswith("multipart"):
        (part,) = parts_of(whole)
        body = part.body
        head = re.match(
            rb"--[0-9a-f]+\r\nContent-Type: (\S+); transfer-syntax=([0-9.]+)\r\n\r\n", whole.content
        )
        assert head is not None
        assert head[2].decode() == RPCL
    assert body in item.dataset
    assert (imagecodecs.htj2k_decode(body) == samples[1]).all()


def test_the_first_piece_shows_the_picture(
    kept: tuple[str, DicomObject, Samples], client: httpx.Client
) -> None:
    """What a viewer does: it takes the envelope off and decodes as far as the bytes go."""
    url, _, samples = kept
    first = ask(client, url, ANY, f"0-{FIRST - 1}")
    stream = first.content.partition(b"\r\n\r\n")[2]
    small = imagecodecs.htj2k_decode(stream, skipres=3)
    assert small.shape == (88, 75)
    assert abs(small.astype(int) - samples[1, ::8, ::8]).max() < 200


@pytest.mark.parametrize(
    ("span", "status"), [("-500", 206), ("10-10", 206), ("99999999-", 416), ("5-1", 200), ("x", 200)]
)
def test_other_ranges(
    kept: tuple[str, DicomObject, Samples], client: httpx.Client, span: str, status: int
) -> None:
    url, *_ = kept
    whole = ask(client, url, ANY).content
    answer = ask(client, url, ANY, span)
    assert answer.status_code == status
    if status == 206:
        assert answer.content == {"-500": whole[-500:], "10-10": whole[10:11]}[span]
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(whole)}"


def test_a_late_range_reads_no_early_bytes(
    run: Run, tmp_path: Path, client: httpx.Client, reads: list[int]
) -> None:
    item = picture(waves(4, 700, 600), syntax=RPCL)
    root = run(Config(data=tmp_path / "data")) + "/dicom-web"
    assert Web(root).store([item]).status == 200
    url = f"{item.path(root)}/frames/1,2,3,4"
    size = int(ask(client, url, ANY, "0-0").headers["content-range"].partition("/")[2])
    whole = ask(client, url, ANY).content
    for start, count in ((size - 1000, 1000), (size // 2, 5000), (0, 300)):
        reads.clear()
        answer = ask(client, url, ANY, f"{start}-{start + count - 1}")
        assert answer.content == whole[start : start + count]
        assert sum(reads) <= count


def test_conditions(kept: tuple[str, DicomObject, Samples], client: httpx.Client) -> None:
    url, *_ = kept
    tag = ask(client, url, ANY).headers["etag"]
    assert ask(client, url, ANY, "0-9", **{"If-None-Match": tag}).status_code == 304
    assert ask(client, url, ANY, "0-9", **{"If-Range": tag}).status_code == 206
    assert ask(client, url, ANY, "0-9", **{"If-Range": '"x"'}).status_code == 200
