"""A bucket as a place for objects. The one module that knows boto3, which has no types."""

import base64
import hashlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Self

from pacs import clock, log
from pacs.breaker import Breaker
from pacs.errors import Conflict, NotFound, PacsError, Unavailable
from pacs.store.blobs import Stat, checked
from pacs.store.disk import CHUNK

_log = log.get(__name__)
_PART: Final = 16 << 20  # bytes; S3 wants at least 5 MiB of every part but the last
_MOST_PARTS: Final = 9_000  # S3 takes 10,000
_ATTEMPTS: Final = 4
_RESUMES: Final = 3  # a body that breaks off is asked for again from where it broke
_AT_ONCE: Final = 24  # requests of one process under way
_PATIENCE: Final = 10.0  # seconds to wait for one's turn among them

_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_REFUSED: Final = frozenset({"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
_CORRUPTED: Final = frozenset({"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch"})


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where a bucket is; an empty field leaves the choice to boto3 (environment, profile, role).
    `prefix` stands before every key, without a slash at its end."""

    name: str
    endpoint_url: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = ""
    prefix: str = ""


def connect(bucket: Bucket, *, attempts: int = _ATTEMPTS) -> "S3Store":
    """Speaks to nobody yet. Time-outs and tries are bounded, with a growing pause between them."""
    import boto3  # half a second: only for those who have a bucket
    from botocore.config import Config

    config = Config(
        connect_timeout=3,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=_AT_ONCE,
        s3={"addressing_style": "path"} if bucket.endpoint_url else {},
        # The checksums that matter are asked for by name; stores that know no others must not fail.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session = boto3.session.Session(
        aws_access_key_id=bucket.access_key or None,
        aws_secret_access_key=bucket.secret_key or None,
        region_name=bucket.region or None,
    )
    region = session.region_name or "us-east-1"
    client = session.client("s3", endpoint_url=bucket.endpoint_url or None, region_name=region, config=config)
    return S3Store(client, bucket.name, bucket.prefix)


class S3Blob:
    """One object, read by ranges; holds nothing open."""

    __slots__ = ("_key", "_store", "size")

    def __init__(self, store: "S3Store", key: str, size: int) -> None:
        self._store = store
        self._key = key
        self.size = size

    def pread(self, offset: int, length: int) -> bytes:
        return b"".join(self.chunks(offset, max(0, min(length, self.size - offset))))

    def chunks(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self._store.ranged(self._key, offset, self.size - offset if length is None else length)

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class S3Store:
    """Thread-safe. Uploads are checked by the bucket part by part (SHA-256)."""

    def __init__(self, client: Any, bucket: str, prefix: str = "", *, part_size: int = _PART) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{checked(prefix)}/" if prefix else ""
        self._part_size = part_size
        self._breaker = Breaker("the cold tier")
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def create_bucket(self) -> None:
        """Fine when it is there already and ours."""
        with self._asking():
            try:
                self._client.create_bucket(Bucket=self._bucket)
            except self._client.exceptions.BucketAlreadyOwnedByYou:
                return

    def put(self, key: str, chunks: Iterable[bytes], *, size: int, sha256: str = "") -> None:
        part_size = max(self._part_size, -(-size // _MOST_PARTS))
        body = _Counted(chunks)
        parts = _parts(body, part_size)
        first, second = next(parts, b""), next(parts, b"")
        if second:
            self._put_parts(key, chain((first, second), parts), body, size, sha256)
            return
        body.check(size, sha256)
        with self._asking():
            self._client.put_object(**self._named(key), Body=first, **_checksum(first))

    def open(self, key: str) -> S3Blob:
        found = self.stat(key)
        if found is None:
            raise NotFound("the cold tier has no such object", hint="run pacs check")
        return S3Blob(self, key, found.size)

    def ranged(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        left, tries = length, 0
        while left > 0:
            before = left
            try:
                for chunk in self._get(key, offset, left):
                    offset += len(chunk)
                    left -= len(chunk)
                    yield chunk
            except _BrokeOff as error:
                tries = tries + 1 if left == before else 1
                if tries > _RESUMES:
                    raise Unavailable(
                        "the cold tier does not finish its answers", hint="try again"
                    ) from error

    def stat(self, key: str) -> Stat | None:
        try:
            with self._asking():
                return Stat(key, int(self._client.head_object(**self._named(key))["ContentLength"]))
        except NotFound:
            return None

    def delete(self, key: str) -> None:
        with self._asking():
            self._client.delete_object(**self._named(key))

    def list(self, prefix: str = "") -> Iterator[Stat]:
        asked: dict[str, Any] = {"Bucket": self._bucket, "Prefix": self._prefix + prefix}
        while True:
            with self._asking():
                page = self._client.list_objects_v2(**asked)
            for entry in page.get("Contents", ()):
                yield Stat(str(entry["Key"]).removeprefix(self._prefix), int(entry["Size"]))
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def sweep(self, older_than_seconds: float) -> int:
        """Give up uploads that were begun long ago and never finished: their parts cost money and
        are in no listing. Returns how many."""
        swept = 0
        with self._asking():
            page = self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=self._prefix)
            for upload in page.get("Uploads", ()):
                age = clock.now_ns() / 1e9 - upload["Initiated"].timestamp()
                if age > older_than_seconds:
                    self._client.abort_multipart_upload(
                        Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
                    swept += 1
        return swept

    def _put_parts(self, key: str, parts: Iterable[bytes], body: "_Counted", size: int, sha256: str) -> None:
        with self._asking():
            upload = self._client.create_multipart_upload(**self._named(key), ChecksumAlgorithm="SHA256")
        named = {**self._named(key), "UploadId": upload["UploadId"]}
        try:
            done = [self._put_part(named, number, part) for number, part in enumerate(parts, 1)]
            body.check(size, sha256)
            self._complete(key, named, done, size)
        except BaseException:
            self._abort(named)
            raise

    def _put_part(self, named: dict[str, Any], number: int, part: bytes) -> dict[str, Any]:
        checksum = _checksum(part)
        try:
            with self._asking():
                answer = self._client.upload_part(**named, PartNumber=number, Body=part, **checksum)
        except NotFound:
            raise Unavailable("the cold tier has lost the upload", hint="try again") from None
        return {"PartNumber": number, "ETag": answer["ETag"], **checksum}

    def _complete(self, key: str, named: dict[str, Any], done: Sequence[dict[str, Any]], size: int) -> None:
        try:
            with self._asking():
                self._client.complete_multipart_upload(**named, MultipartUpload={"Parts": [*done]})
        except NotFound:
            # Said to a repeated request whose first answer was lost on the way.
            found = self.stat(key)
            if found is None or found.size != size:
                raise Unavailable("the cold tier has lost the upload", hint="try again") from None

    def _abort(self, named: dict[str, Any]) -> None:
        try:
            with self._asking():
                self._client.abort_multipart_upload(**named)
        except NotFound:
            return
        except PacsError as error:
            _log.warning("cold tier: an upload that failed could not be given up: %s", error)

    def _get(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        """What one request gives; raises _BrokeOff when that is less than asked for."""
        with self._asking():
            answer = self._client.get_object(
                **self._named(key), Range=f"bytes={offset}-{offset + length - 1}"
            )
            if int(answer["ContentLength"]) != length:
                answer["Body"].close()
                raise NotFound("the object on the cold tier is shorter than recorded", hint="run pacs check")
        body = answer["Body"]
        try:
            left = length
            while left > 0:
                with self._reading():
                    chunk = body.read(min(left, CHUNK))
                if not chunk:
                    raise _BrokeOff
                left -= len(chunk)
                yield chunk
        finally:
            body.close()

    def _named(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": self._prefix + checked(key)}

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """One request: in turn, not while the bucket is known to be away, and its failure told in
        the words of the archive."""
        if not self._turns.acquire(timeout=_PATIENCE):
            raise Unavailable("the cold tier is busy", hint="try again in a few seconds")
        try:
            with self._breaker.guard(), _translated():
                yield
        finally:
            self._turns.release()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        try:
            yield
        except (BotoCoreError, HTTPError, OSError) as error:
            raise _BrokeOff from error


class _BrokeOff(Exception):
    """The answer ended before it was complete."""


class _Counted:
    """Chunks, their number of bytes and their digest."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._hash = hashlib.sha256()
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._hash.update(chunk)
            self._size += len(chunk)
            yield chunk

    def check(self, size: int, sha256: str) -> None:
        if self._size != size or (sha256 and self._hash.hexdigest() != sha256):
            raise Conflict("the bytes are not the ones that were announced")


def _parts(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Pieces of exactly `size` bytes, the last one shorter."""
    part = bytearray()
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            taken = view[: size - len(part)]
            part += taken
            view = view[len(taken) :]
            if len(part) == size:
                yield bytes(part)
                part.clear()
    if part:
        yield bytes(part)


def _checksum(part: bytes) -> dict[str, str]:
    return {"ChecksumSHA256": base64.b64encode(hashlib.sha256(part).digest()).decode()}


@contextmanager
def _translated() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except ClientError as error:
        raise _refusal(str(error.response.get("Error", {}).get("Code", ""))) from error
    except NoCredentialsError as error:
        raise Unavailable("nobody told who we are to the bucket", hint="set [cold] access_key") from error
    except (BotoCoreError, OSError) as error:
        raise Unavailable(
            "the cold tier cannot be reached", hint="try again; an administrator should look at the bucket"
        ) from error


def _refusal(code: str) -> PacsError:
    if code in _MISSING:
        return NotFound("the cold tier has no such object", hint="run pacs check")
    if code in {"NoSuchUpload", "InvalidRange"}:
        return NotFound("the cold tier has less than was recorded", hint="run pacs check")
    if code == "NoSuchBucket":
        return Unavailable("the bucket does not exist", hint="look at [cold] bucket")
    if code in _REFUSED:
        return Unavailable("the bucket does not let us in", hint="look at [cold] access_key and secret_key")
    if code in _CORRUPTED:
        return Unavailable("bytes were damaged on the way to the cold tier", hint="try again")
    if code == "InvalidObjectState":
        return Unavailable("the object lies in an archive class", hint="ask the bucket to restore it")
    return Unavailable(f"the cold tier answers {code}", hint="try again later")
