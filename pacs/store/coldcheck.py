"""The index against the cold tier, both ways."""

from collections.abc import Iterator
from dataclasses import dataclass

from pacs.db.connection import Database
from pacs.errors import Conflict, NotFound
from pacs.store import pack, packs
from pacs.store.blobs import BlobStore
from pacs.store.pack import Cutter, verified
from pacs.store.packs import Known


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind` is `missing-file`, `wrong-size`, `wrong-bytes` or `unknown-file`; `where` the key of a
    pack."""

    kind: str
    where: str
    detail: str


def differences(db: Database, cold: BlobStore, *, deep: bool) -> Iterator[Difference]:
    """With `deep` every recorded byte is read and its digest compared. Packs on their way are not
    reported. Raises Unavailable when the cold tier is away."""
    for known in packs.known(db):
        yield from _compare(db, cold, known, deep=deep)
    for stat in pack.listed(cold):
        with db.read() as tx:
            noted = packs.is_known(tx, stat.key)
        if not noted:
            detail = "the cold tier holds an object that the index does not know"
            yield Difference("unknown-file", stat.key, detail)


def _compare(db: Database, cold: BlobStore, known: Known, *, deep: bool) -> Iterator[Difference]:
    with db.read() as tx:
        members = packs.members(tx, known.key)
    if not members:
        return
    stat = cold.stat(known.key)
    if stat is None:
        yield Difference("missing-file", known.key, "the index names a pack that is not there")
    elif stat.size != known.size:
        yield Difference("wrong-size", known.key, f"{stat.size} bytes, the index says {known.size}")
    elif deep:
        cutter = Cutter(cold.ranged(known.key, 0, known.size))
        for member, offset in members:
            try:
                cutter.skip_to(offset)
                for _chunk in verified(member, cutter.take(member.size)):
                    pass
            except (Conflict, NotFound):
                yield Difference("wrong-bytes", known.key, f"the SHA-256 of {member.instance} is another")
