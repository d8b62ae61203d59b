"""`pacs orders`: what is to be scanned."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pacs.cli.common import (
    ConfigOption,
    DataOption,
    JsonOption,
    columns,
    local_actor,
    opened,
    out,
    print_json,
)
from pacs.errors import Invalid

if TYPE_CHECKING:
    from pacs.orders.model import DataSet, Order

app = typer.Typer(help="Orders: what modalities find in their worklist.", no_args_is_help=True)
_HEADS: Final = ["order", "state", "start", "station", "modality", "patient", "accession", "what"]
Number = Annotated[int, typer.Argument(metavar="ORDER", help="Its number, as `pacs orders list` shows it.")]


@app.command("add")
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON, or a worklist item as DICOM file.")],
    config: ConfigOption = None,
    data: DataOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Place an order. docs/orders.md says what it holds; examples/order.json is one."""
    from pacs.orders.shown import shown

    dataset = _read(file)
    with opened(config, data, "orders") as archive:
        order = archive.orders.place(local_actor(), dataset)
    if as_json:
        print_json(shown(order))
    else:
        out.print(f"order {order.number}: study {order.study_uid}")


@app.command("list")
def list_(
    config: ConfigOption = None,
    data: DataOption = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many, the newest.")] = 50,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also what is over or cancelled.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What is to be scanned, newest order first, a line for each step."""
    from pacs.orders.shown import shown

    with opened(config, data, "orders") as archive:
        found = archive.orders.page(local_actor(), limit=limit, open_only=not everything)
    if as_json:
        print_json([shown(order) for order in found.orders])
        return
    lines = [line for order in found.orders for line in _lines(order)]
    out.print(columns(_HEADS, lines) if lines else "no orders")


@app.command("show")
def show(number: Number, config: ConfigOption = None, data: DataOption = None) -> None:
    """One order in JSON, with what was performed of it."""
    from pacs.orders.shown import shown

    with opened(config, data, "orders") as archive:
        print_json(shown(archive.orders.get(local_actor(), number)))


@app.command("cancel")
def cancel(number: Number, config: ConfigOption = None, data: DataOption = None) -> None:
    """Take an order back. One that a modality has begun stays."""
    with opened(config, data, "orders") as archive:
        archive.orders.cancel(local_actor(), number)
    out.print(f"order {number} is cancelled")


def _read(file: Path) -> "DataSet":
    """By what is in it: a JSON text begins with a brace or a bracket, a data set never does."""
    from pacs.orders import read

    try:
        with file.open("rb") as stream:
            raw = stream.read(read.MAX_BYTES + 1)
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}") from error
    text = raw.removeprefix(b"\xef\xbb\xbf").lstrip()
    try:
        if text.startswith(b"["):
            return read.from_dicom_json(text)
        return read.from_text(text) if text.startswith(b"{") else read.from_file(raw)
    except Invalid as error:
        raise Invalid(f"{file}: {error}", hint=error.hint) from error


def _lines(order: "Order") -> Iterator[list[str]]:
    from pacs.orders.shown import state

    for step in order.steps:
        now = state(order) if order.cancelled_ns else step.status.value.lower()
        day, time = step.start_date, step.start_time
        start = f"{day[:4]}-{day[4:6]}-{day[6:8]} {time[:2]}:{time[2:4] or '00'}"
        where = ",".join(step.station_aets)
        what = step.description or order.procedure.description
        patient, accession = order.patient.id, order.accession_number
        yield [str(order.number), now, start, where, step.modality, patient, accession, what]
