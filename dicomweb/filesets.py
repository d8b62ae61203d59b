"""A ZIP archive that is a file-set as a CD has it (PS3.10 8): the instances, and a DICOMDIR behind them."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from dicomweb import zipped
from dicomweb.calls import Call
from dicomweb.forms import Form
from dicomweb.zipped import Entry
from pacs.errors import Invalid
from pacs.retrieve import dicomdir
from pacs.retrieve.deliver import Given
from pacs.retrieve.dicomdir import Directory
from pacs.retrieve.selection import StoredObject

PARAMETER: Final = "dicomdir"
"""Asks for it: an extension."""
_WORDS: Final = {"true": True, "false": False}


class Open(Protocol):
    """An instance in the form in which it goes out."""

    def __call__(self, stored: StoredObject) -> AbstractContextManager[Given]: ...


def is_asked(call: Call, form: Form) -> bool:
    """Of what is no ZIP archive there is none. Raises Invalid for a value that says neither."""
    text = call.request.query_params.get(PARAMETER, "false").strip().lower()
    if text not in _WORDS:
        raise Invalid(f"{PARAMETER} expects true or false")
    return _WORDS[text] and form.type == zipped.ZIP


@dataclass(frozen=True, slots=True)
class FileSet:
    """Of instances in their order. `directory` is empty yet, and is filled as they are written."""

    call: Call
    open: Open
    directory: Directory

    def entries(self, found: Iterable[StoredObject]) -> Iterator[Entry]:
        """One behind the other: each is to be written before the next is taken."""
        for stored in found:
            yield self._instance(stored)
        yield Entry(dicomdir.NAME, None, self.directory.chunks)

    def _instance(self, stored: StoredObject) -> Entry:
        def chunks() -> Iterator[bytes]:
            with self.open(stored) as opened:
                document = self.call.archive.retrieve.document(stored)
                self.directory.add(stored.key.series, document, stored.sop_class, opened.transfer_syntax)
                yield from opened.part10()

        return Entry("/".join(self.directory.place(stored.key.series)), None, chunks)
