"""Where the time of an arriving object goes, within the archive: its parts are timed while objects arrive.

    make bench-arrival

What a sender and the network take is not in it. BENCH_DIR is where the archive lies, on a disk and
not in memory.
"""

import functools
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from pacs.auth.actor import system
from pacs.config import Config
from pacs.db.connection import Database
from pacs.dicom.header import part10_prefix
from pacs.ingest import accept
from pacs.ingest.accept import Ingest
from pacs.runtime import Archive, open_archive
from pacs.store.spool import Spooled
from pacs.store.writer import Writer
from tests.bench.table import write_table
from tests.support.dicom_object import DicomObject
from tests.support.factory import ct_series

SLICES: Final = int(os.environ.get("BENCH_SLICES", "300"))
ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "5"))
EDGE: Final = 512
FRAGMENT: Final = 131_060
ROOT: Final = Path(__file__).parents[2]
ALL: Final = "all of it"
PARTS: Final[tuple[tuple[str, Any, str], ...]] = (
    ("into the spool, as it comes: `write` and SHA-256", Spooled, "write"),
    ("header walk, frame table, JSON, compression", accept, "examine"),
    ("looking whether it is here", Ingest, "_known"),
    ("one wait for the disk, and a place in the tree", Writer, "place"),
    ("one transaction", Database, "transact"),
)
spent: defaultdict[str, float] = defaultdict(float)


def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(work)
    def wrapped(*words: Any, **more: Any) -> Any:
        began = time.perf_counter()
        try:
            return work(*words, **more)
        finally:
            spent[name] += time.perf_counter() - began

    return wrapped


def bring(archive: Archive, item: DicomObject) -> None:
    actor = system("bench")
    with archive.ingest.spool(actor) as spooled:
        spooled.begin(
            part10_prefix(
                sop_class=item.sop_class, sop_instance=item.instance, transfer_syntax=item.transfer_syntax,
                source_aet="BENCH", receiving_aet="HILUM",
            )
        )  # fmt: skip
        view = memoryview(item.dataset)
        for begin in range(0, len(view), FRAGMENT):
            spooled.write(view[begin : begin + FRAGMENT])
        archive.ingest.accept(actor, spooled)


def measure(archive: Archive) -> dict[str, list[float]]:
    """Milliseconds for an object, of every round."""
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        items = ct_series(SLICES, rows=EDGE, columns=EDGE)
        os.sync()
        spent.clear()
        began = time.perf_counter()
        for item in items:
            bring(archive, item)
        spent[ALL] = time.perf_counter() - began
        for name in (*(part[0] for part in PARTS), ALL):
            found[name].append(1e3 * spent[name] / SLICES)
    return found


def main() -> None:
    for name, owner, attribute in PARTS:
        setattr(owner, attribute, timed(name, getattr(owner, attribute)))
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="hilum-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        archive = open_archive(Config(data=Path(folder)))
        try:
            found = measure(archive)
        finally:
            archive.close()
    lines = ["| what | ms for an object |", "| --- | ---: |"]
    lines += [f"| {name} | {statistics.median(values):.2f} |" for name, values in found.items()]
    lines += ["", f"CT of {SLICES} slices, median of {ROUNDS} rounds, load {busy:.1f} before."]
    print("\n".join(lines))
    write_table(ROOT / "docs" / "performance.md", "arrival", "\n".join(lines))


if __name__ == "__main__":
    main()
