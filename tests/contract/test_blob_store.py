"""One contract for every place that keeps objects: a folder, and a bucket on a real S3 server."""

import hashlib
import os
import random
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pacs.errors import Conflict, Invalid, NotFound, Unavailable
from pacs.store import s3
from pacs.store.blobs import BlobStore, Stat
from pacs.store.folder import FolderStore
from pacs.store.s3 import Bucket, S3Store
from tests.support import s3_server

PART = 5 << 20  # bytes, the least that S3 takes


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "folder":
        return FolderStore(tmp_path)
    return bucket_store(s3_server.shared().fresh_bucket("some/where"))


def bucket_store(bucket: Bucket, *, attempts: int = 2) -> S3Store:
    made = s3.connect(bucket, attempts=attempts)
    return S3Store(made._client, bucket.name, bucket.prefix, part_size=PART)


def pieces(data: bytes, size: int = 700_001) -> Iterator[bytes]:
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]


def put(store: BlobStore, key: str, data: bytes) -> None:
    store.put(key, pieces(data), size=len(data), sha256=hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("size", [0, 1, 700_001, PART, PART + 1, 3 * PART - 7])
def test_what_is_put_is_given_back(store: BlobStore, size: int) -> None:
    data = os.urandom(size)
    put(store, "1.2/3.4/a.tar", data)
    assert store.stat("1.2/3.4/a.tar") == Stat("1.2/3.4/a.tar", size)
    with store.open("1.2/3.4/a.tar") as blob:
        assert blob.size == size
        assert b"".join(blob.chunks()) == data
        assert blob.pread(size - 3 if size > 3 else 0, 10) == data[-3:]
        assert blob.pread(0, 0) == b""


def test_ranges(store: BlobStore) -> None:
    data = os.urandom(2 * PART)
    put(store, "r", data)
    for _ in range(20):
        begin = random.randrange(len(data))
        length = random.randrange(1, len(data) - begin + 1)
        chunks = list(store.ranged("r", begin, length))
        assert b"".join(chunks) == data[begin : begin + length]
        assert max(len(chunk) for chunk in chunks) <= 1 << 20
    assert list(store.ranged("r", 5, 0)) == []
    with pytest.raises((Unavailable, NotFound)):
        list(store.ranged("r", len(data) - 1, 2))
    with pytest.raises((Unavailable, NotFound)):
        list(store.ranged("r", len(data), 1))


def test_a_second_put_takes_the_place(store: BlobStore) -> None:
    put(store, "k", b"one")
    put(store, "k", b"another")
    with store.open("k") as blob:
        assert blob.pread(0, 100) == b"another"


@pytest.mark.parametrize("size", [1000, 2 * PART])
def test_other_bytes_than_announced_are_not_kept(store: BlobStore, size: int) -> None:
    data = os.urandom(size)
    for announced, digest in ((size, "0" * 64), (size + 1, ""), (size - 1, "")):
        with pytest.raises(Conflict):
            store.put("k", pieces(data), size=announced, sha256=digest)
        assert store.stat("k") is None
    assert list(store.list()) == []


@pytest.mark.parametrize("after", [0, 3 * PART])
def test_a_reader_that_fails_leaves_nothing(store: BlobStore, after: int) -> None:
    def broken() -> Iterator[bytes]:
        yield from pieces(bytes(after))
        raise Conflict("the file is damaged")

    put(store, "k", b"before")
    with pytest.raises(Conflict, match="damaged"):
        store.put("k", broken(), size=10 * PART)
    with store.open("k") as blob:
        assert blob.pread(0, 100) == b"before"
    if isinstance(store, S3Store):
        assert store.sweep(0) == 0, "an upload was left behind"


def test_list_and_delete(store: BlobStore) -> None:
    keys = {"a/b.tar", "a/c.tar", "a-b", "a.b", "B", "z/1/2"}
    for key in keys:
        put(store, key, key.encode())
    assert {stat.key for stat in store.list()} == keys
    assert {stat.key for stat in store.list("a/")} == {"a/b.tar", "a/c.tar"}
    assert all(stat.size == len(stat.key) for stat in store.list())
    store.delete("a/b.tar")
    store.delete("a/b.tar")
    assert store.stat("a/b.tar") is None
    assert {stat.key for stat in store.list()} == keys - {"a/b.tar"}


def test_what_is_not_there(store: BlobStore) -> None:
    assert store.stat("no/such") is None
    with pytest.raises(NotFound):
        store.open("no/such")
    with pytest.raises(NotFound):
        list(store.ranged("no/such", 0, 1))


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "a/./b", "../a", "a/..", ".", "a b", "a\0", "ä", "a" * 1025]
)
def test_keys_that_do_not_survive_are_refused(store: BlobStore, key: str) -> None:
    with pytest.raises(Invalid):
        store.put(key, [b"x"], size=1)
    with pytest.raises(Invalid):
        store.stat(key)


def test_many_at_once(store: BlobStore) -> None:
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            data = os.urandom(200_000)
            put(store, f"t/{number}", data)
            with store.open(f"t/{number}") as blob:
                assert b"".join(blob.chunks()) == data
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(list(store.list("t/"))) == 12


def test_a_folder_that_is_not_mounted_is_away(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "not-there")
    for attempt in (
        lambda: store.stat("k"),
        lambda: store.open("k"),
        lambda: store.put("k", [b""], size=0),
        lambda: list(store.list()),
    ):
        with pytest.raises(Unavailable):
            attempt()
    assert not (tmp_path / "not-there").exists()


def test_a_listing_longer_than_a_page() -> None:
    store = bucket_store(s3_server.shared().fresh_bucket())
    pages = 0
    asked = store._client.list_objects_v2

    def short_pages(**wanted: Any) -> Any:
        nonlocal pages
        pages += 1
        return asked(**wanted, MaxKeys=7)

    store._client.list_objects_v2 = short_pages
    for number in range(20):
        put(store, f"f{number % 3}/{number}", b"x")
    assert len({stat.key for stat in store.list()}) == 20
    assert pages == 3


def test_a_bucket_that_is_not_there_or_not_ours() -> None:
    bucket = s3_server.shared().fresh_bucket()
    nowhere = Bucket("never-made", bucket.endpoint_url, "", bucket.access_key, bucket.secret_key)
    stranger = Bucket(bucket.name, bucket.endpoint_url, "", "nobody", "secret")
    for which in (nowhere, stranger):
        with pytest.raises(Unavailable) as refused:
            bucket_store(which).put("k", [b"x"], size=1)
        assert "[cold]" in refused.value.hint
        assert "secret" not in str(refused.value)


def test_an_upload_begun_and_forgotten_is_swept() -> None:
    store = bucket_store(s3_server.shared().fresh_bucket())
    store._client.create_multipart_upload(Bucket=store._bucket, Key="x")
    assert store.sweep(3600) == 0
    assert store.sweep(0) == 1
    assert store.sweep(0) == 0


def test_a_body_that_breaks_off_is_asked_for_again() -> None:
    store = bucket_store(s3_server.shared().fresh_bucket())
    data = os.urandom(3 << 20)
    put(store, "k", data)
    asked, gets = store._client.get_object, []

    class Short:
        def __init__(self, body: Any) -> None:
            self._body, self._left = body, 2

        def read(self, count: int) -> bytes:
            self._left -= 1
            if self._left < 0:
                raise ConnectionResetError
            return bytes(self._body.read(count))

        def close(self) -> None:
            self._body.close()

    def breaking(**wanted: Any) -> Any:
        gets.append(wanted["Range"])
        answer = asked(**wanted)
        return {**answer, "Body": Short(answer["Body"])}

    store._client.get_object = breaking
    assert b"".join(store.ranged("k", 0, len(data))) == data
    assert gets == [f"bytes=0-{len(data) - 1}", f"bytes={2 << 20}-{len(data) - 1}"]


def test_the_server_is_killed_during_an_upload_and_revived() -> None:
    with s3_server.running() as server:
        store = bucket_store(server.fresh_bucket())
        data = os.urandom(4 * PART)
        put(store, "before", b"kept")

        def dying() -> Iterator[bytes]:
            for number, piece in enumerate(pieces(data, PART)):
                if number == 2:
                    server.stop()
                yield piece

        with pytest.raises(Unavailable) as away:
            store.put("k", dying(), size=len(data))
        assert away.value.retryable
        with pytest.raises(Unavailable):  # at once: nobody waits for what is known to be away
            store.stat("before")
        server.start()
        eventually_put(store, "k", data)
        with store.open("k") as blob:
            assert b"".join(blob.chunks()) == data
        with store.open("before") as blob:
            assert blob.pread(0, 10) == b"kept"


def eventually_put(store: BlobStore, key: str, data: bytes) -> None:
    """Within the breaker's rest and the server's start."""
    pause = threading.Event()
    for _ in range(60):
        with suppress(Unavailable):
            return put(store, key, data)
        pause.wait(0.5)
    return put(store, key, data)
