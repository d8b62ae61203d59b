"""The index made anew from the packs of the cold tier: they say themselves what is in them."""

from collections.abc import Callable

from pacs import clock, log
from pacs.db.connection import Database, Transaction
from pacs.errors import Conflict, NotFound
from pacs.store import layout, pack, packs
from pacs.store.blobs import BlobStore, Stat
from pacs.store.locations import Location
from pacs.store.pack import Cutter, Pack, verified
from pacs.store.spool import Spool, Spooled

_log = log.get(__name__)
_OWNER = "rebuild"

Record = Callable[[Spooled, Location], object]


def restore_packs(db: Database, cold: BlobStore, spool: Spool, record: Record) -> int:
    """Give every object of every pack to `record`, which may know it already from the hot tier; then
    note that it lies here too. Every byte is read and verified. Returns how many objects were read.

    What is no pack, or is damaged, is left for the next check to report. Raises Unavailable."""
    return sum(_restore(db, cold, spool, record, stat) for stat in pack.listed(cold))


def _restore(db: Database, cold: BlobStore, spool: Spool, record: Record, stat: Stat) -> int:
    done = 0
    try:
        laid = _inside(cold, stat)
        cutter = Cutter(cold.ranged(laid.key, 0, laid.size))
        for placed in laid.placed:
            member = placed.member
            cutter.skip_to(placed.offset)
            with spool.create() as spooled:
                for chunk in verified(member, cutter.take(member.size)):
                    spooled.write(chunk)
                spooled.received_ns = member.received_ns
                spooled.seal()
                record(spooled, Location(layout.COLD, laid.key, placed.offset, member.size))
                done += 1
    except (Conflict, NotFound) as error:
        _log.error("rebuild: a pack is left out from object %d on reason=%s", done + 1, error)
        return done
    now = clock.now_ns()

    def note(tx: Transaction) -> None:
        packs.begin(tx, laid, _OWNER, now, now)
        packs.record(tx, laid, now)

    db.transact(note)
    return done


def _inside(cold: BlobStore, stat: Stat) -> Pack:
    """Raises NotFound for what is no pack of ours."""
    with cold.open(stat.key) as blob:
        study, series, placed = pack.read_index(blob)
    laid = pack.lay_out(study, series, [one.member for one in placed])
    if (laid.key, laid.size, laid.placed) != (stat.key, stat.size, placed):
        raise NotFound("this object on the cold tier is not what it says")
    return laid
