"""A series as one plain TAR of its Part 10 files: `tar xf` gives them back without the archive.

The first member is an index of the others in JSON, so that one short read tells what is inside and
where. Members are `<study>/<series>/<instance>.dcm`; their modification time is the moment they
were received, to the nanosecond (a pax record). The same members give the same bytes, and the
name of a pack is made of what is in it: to upload it again changes nothing.
"""

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from pacs.errors import Conflict, NotFound
from pacs.store.blobs import Blob, BlobStore, Stat
from pacs.store.markers import COPIES

LIMIT: Final = 64 << 30  # bytes of members in one pack; a longer series becomes several
_BLOCK: Final = 512
_HEADERS: Final = 8 * _BLOCK  # bytes; more than the index member's headers take
_END: Final = bytes(2 * _BLOCK)
_WIDEST: Final = 10**15  # an offset no pack can have: room for every one that it can
_FORMAT: Final = "hilum-pack-1"


@dataclass(frozen=True, slots=True)
class Member:
    """A Part 10 file as the index knows it. `digest` is the SHA-256 of the data set, which begins
    at `dataset_offset`; `prefix_digest` that of what stands before it."""

    instance: str
    size: int
    dataset_offset: int
    digest: str
    prefix_digest: str
    received_ns: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A member and where its bytes begin in the pack."""

    member: Member
    offset: int


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack that could be written: its key, its length and where everything lies in it."""

    study: str
    series: str
    key: str
    size: int
    placed: tuple[Placed, ...]
    head: bytes  # the index member, header and padding included


Opener = Callable[[Member], Blob]


def listed(cold: BlobStore) -> Iterator[Stat]:
    """What lies on the cold tier, packs and strangers, without what tells of deletions."""
    return (stat for stat in cold.list() if not stat.key.startswith(COPIES))


def lay_out(study: str, series: str, members: Iterable[Member]) -> Pack:
    """Where each member will lie. Reads none of them."""
    inside = tuple(members)
    name = _name(inside)
    folder = f"{study}/{series}"
    index_name = f"{folder}/{name}.json"
    room = _padded(len(_index(study, series, [Placed(member, _WIDEST) for member in inside])))
    begin = len(_header(index_name, room, 0)) + room
    placed, offset = [], begin
    for member in inside:
        offset += len(_member_header(folder, member))
        placed.append(Placed(member, offset))
        offset += _padded(member.size)
    index = _index(study, series, placed).ljust(room - 1) + b"\n"
    return Pack(
        study,
        series,
        f"{folder}/{name}.tar",
        offset + len(_END),
        tuple(placed),
        _header(index_name, room, 0) + index,
    )


def split(members: Iterable[Member], limit: int = LIMIT) -> Iterator[tuple[Member, ...]]:
    """The members of a series in groups of at most `limit` bytes, at least one in each."""
    group: list[Member] = []
    size = 0
    for member in members:
        if group and size + member.size > limit:
            yield tuple(group)
            group, size = [], 0
        group.append(member)
        size += member.size
    if group:
        yield tuple(group)


def write(pack: Pack, open_member: Opener) -> Iterator[bytes]:
    """The bytes of the pack, read as they are needed. Raises Conflict when a file is not what the
    index recorded: damaged bytes are not carried anywhere."""
    yield pack.head
    folder = f"{pack.study}/{pack.series}"
    for placed in pack.placed:
        member = placed.member
        yield _member_header(folder, member)
        with open_member(member) as blob:
            if blob.size != member.size:
                raise _differs(member)
            yield from verified(member, blob.chunks())
        yield bytes(_padded(member.size) - member.size)
    yield _END


def verified(member: Member, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same chunks; raises Conflict at their end unless both digests are the recorded ones."""
    prefix, data = hashlib.sha256(), hashlib.sha256()
    left, total = member.dataset_offset, 0
    for chunk in chunks:
        total += len(chunk)
        if left:
            prefix.update(chunk[:left])
            data.update(chunk[left:])
            left -= min(left, len(chunk))
        else:
            data.update(chunk)
        yield chunk
    if (total, prefix.hexdigest(), data.hexdigest()) != (member.size, member.prefix_digest, member.digest):
        raise _differs(member)


def read_back(pack: Pack, chunks: Iterable[bytes]) -> None:
    """Verify every member by its digests in what the bucket gives back for the whole pack.

    Raises Conflict."""
    cutter = Cutter(chunks)
    if b"".join(cutter.take(len(pack.head))) != pack.head:
        raise Conflict("the pack on the cold tier is another one", hint="it will be written again")
    for placed in pack.placed:
        cutter.skip_to(placed.offset)
        for _chunk in verified(placed.member, cutter.take(placed.member.size)):
            pass
    cutter.skip_to(pack.size)


def read_index(blob: Blob) -> tuple[str, str, tuple[Placed, ...]]:
    """Study, series and members of a pack, told by the pack alone. Raises NotFound for a file that
    is no pack."""
    try:
        with tarfile.open(fileobj=io.BytesIO(blob.pread(0, _HEADERS)), mode="r:") as archive:
            info = archive.next()
        told = orjson.loads(blob.pread(info.offset_data, info.size) if info else b"")
        placed = tuple(
            Placed(Member(**{name: entry[name] for name in Member.__slots__}), entry["offset"])
            for entry in told["members"]
        )
    except (tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise NotFound("this object on the cold tier is no pack") from error
    if told.get("format") != _FORMAT:
        raise NotFound("this pack is of a form that this version does not know")
    return str(told["study"]), str(told["series"]), placed


class Cutter:
    """Reads a stream of chunks forward, piece by piece."""

    def __init__(self, chunks: Iterable[bytes], at: int = 0) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")
        self._at = at

    def take(self, length: int) -> Iterator[bytes]:
        """Raises Conflict when the stream ends before."""
        while length > 0:
            if not self._rest:
                self._rest = memoryview(next(self._chunks, b""))
            if not self._rest:
                raise Conflict("an object on the cold tier ends too early")
            piece = self._rest[:length]
            self._rest = self._rest[len(piece) :]
            self._at += len(piece)
            length -= len(piece)
            yield bytes(piece)

    def skip_to(self, offset: int) -> None:
        for _piece in self.take(offset - self._at):
            pass


def _name(members: tuple[Member, ...]) -> str:
    """One name for one content."""
    said = orjson.dumps([[getattr(member, name) for name in Member.__slots__] for member in members])
    return hashlib.sha256(said).hexdigest()[:32]


def _index(study: str, series: str, placed: Iterable[Placed]) -> bytes:
    members = [
        {"offset": one.offset, **{name: getattr(one.member, name) for name in Member.__slots__}}
        for one in placed
    ]
    told = {"format": _FORMAT, "study": study, "series": series, "members": members}
    return orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n"


def _member_header(folder: str, member: Member) -> bytes:
    return _header(f"{folder}/{member.instance}.dcm", member.size, member.received_ns)


def _header(name: str, size: int, mtime_ns: int) -> bytes:
    """POSIX.1-2001: an extended header carries what the fixed fields cannot hold: a long name, a
    size of 8 GiB or more, and the nanoseconds."""
    info = tarfile.TarInfo(name)
    info.size = size
    info.mtime = mtime_ns // 10**9
    info.mode = 0o640
    if mtime_ns % 10**9:
        info.pax_headers = {"mtime": f"{info.mtime}.{mtime_ns % 10**9:09d}"}
    return info.tobuf(tarfile.PAX_FORMAT, "ascii", "strict")


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _differs(member: Member) -> Conflict:
    return Conflict(
        f"the bytes of instance {member.instance} are not the recorded ones", hint="run pacs check"
    )
