"""A table of figures in a page, between two marks; what stands around it stays."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RIVAL = "Orthanc"
OURS = "Hilum"


def write_table(page: Path, name: str, table: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->`."""
    text = page.read_text()
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{page} has no place for the table {name}")
    page.write_text(pattern.sub(lambda _: f"{begin}\n{table}\n{end}", text))


def as_table(found: Mapping[str, Any]) -> str:
    """Medians of seconds and the ratio to the rival of the same run."""
    names = [OURS, *found["peers"]]
    lines = [
        f"| work | {' | '.join(f'{name}, s' for name in names)} | {OURS} / {RIVAL} |",
        "| --- |" + " ---: |" * (len(names) + 1),
    ]
    for work, medians in found["median"].items():
        cells = [_cell(name, medians, found["peers"]) for name in names]
        ratio = f"{medians[OURS] / medians[RIVAL]:.2f}" if RIVAL in medians else "peer absent"
        lines.append(f"| {work} | {' | '.join(cells)} | {ratio} |")
    machine = found["machine"]
    load = f"load {machine['load_before']} before and {machine['load_after']} after"
    rounds = f"median of {found['work']['rounds']} rounds"
    lines += ["", f"{machine['processors']} processors, {load}, Python {machine['python']}; {rounds}."]
    return "\n".join(lines)


def _cell(name: str, medians: Mapping[str, float], peers: Mapping[str, bool]) -> str:
    if name in medians:
        return f"{medians[name]:.2f}"
    return "" if peers.get(name, True) else "peer absent"
