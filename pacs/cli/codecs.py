"""`pacs codecs`: which transfer syntaxes can be read and written here, and by what."""

import dataclasses
from typing import TYPE_CHECKING

from pacs.cli.common import JsonOption, columns, out, print_json

if TYPE_CHECKING:
    from pacs.pixels.registry import CodecLine


def show(*, as_json: JsonOption = False) -> None:
    """Which transfer syntaxes can be decoded and encoded, by which library."""
    from pacs.pixels.registry import codecs

    lines = list(codecs())
    if as_json:
        print_json([dataclasses.asdict(line) for line in lines])
        return
    headings = ("transfer syntax", "name", "codec", "does", "library")
    out.print(columns(headings, [_row(line) for line in lines]))


def _row(line: "CodecLine") -> tuple[str, ...]:
    from pydicom.uid import UID

    deeds = [
        deed
        for deed, does in (("decode", line.decode), ("encode", line.encode), ("second decoder", line.proves))
        if does
    ]
    library = f"missing: {', '.join(line.missing)}" if line.missing else f"{line.library} {line.version}"
    return line.transfer_syntax, UID(line.transfer_syntax).name, line.name, ", ".join(deeds), library
