"""Objects that come described in JSON or XML, their bulk data beside them: made into Part 10 files, and
then accepted as all others are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from pacs.auth.actor import Actor
from pacs.dicom import from_json, from_xml
from pacs.dicom.described import DataSet, Malformed
from pacs.errors import Invalid
from pacs.ingest.accept import Ingest
from pacs.ingest.compose import compose, uid
from pacs.ingest.examine import Broken, Expected
from pacs.ingest.parcel import Parcel
from pacs.ingest.receipt import Receipt
from pacs.store.spool import Spool

LARGEST = max(from_json.LARGEST, from_xml.LARGEST)
"""Bytes of one document of metadata."""


class Form(Enum):
    JSON = "application/dicom+json"
    XML = "application/dicom+xml"


@dataclass(frozen=True, slots=True)
class Assembled:
    """`discarded` says that the stored object lacks elements that were described: what tells where the
    fragments of the sender's pixel data stood."""

    receipt: Receipt
    discarded: bool = False


class Assembler:
    """Thread-safe; one per process."""

    def __init__(self, ingest: Ingest, spool: Spool) -> None:
        self._ingest = ingest
        self._spool = spool

    def parcel(self, actor: Actor, resolve: Callable[[str], str] = str) -> Parcel:
        """For what comes beside the metadata; use it in a `with` block. `resolve` gives addresses that
        mean the same one form.

        Raises Forbidden (audited) and Unavailable."""
        self._ingest.admit(actor)
        return Parcel(self._spool.folder, resolve)

    def assemble(
        self, actor: Actor, form: Form, text: bytes, parcel: Parcel, expected: Expected
    ) -> Iterator[Assembled]:
        """Each object of a document of metadata. One that cannot be kept does not keep the others out.

        Raises Invalid for what is no metadata at all, and what `Ingest.accept` raises."""
        for described in _described(form, text):
            if isinstance(described, Malformed):
                receipt = self._ingest.refuse(actor, Broken("described", str(described)))
                yield Assembled(receipt)
            else:
                yield self._one(actor, described, parcel, expected)

    def _one(self, actor: Actor, described: DataSet, parcel: Parcel, expected: Expected) -> Assembled:
        """The UIDs of a refused object are those that it was described with."""
        named = {"sop_class": uid(described, "SOPClassUID"), "sop_instance": uid(described, "SOPInstanceUID")}
        with self._ingest.spool(actor) as spooled:
            try:
                discarded = compose(described, parcel, spooled.write)
            except Broken as broken:
                return Assembled(self._ingest.refuse(actor, Broken(broken.rule, str(broken), **named)))
            except Malformed as error:
                return Assembled(self._ingest.refuse(actor, Broken("described", str(error), **named)))
            return Assembled(self._ingest.accept(actor, spooled, expected), discarded)


def _described(form: Form, text: bytes) -> Iterator[DataSet | Malformed]:
    try:
        documents = from_json.documents(text) if form is Form.JSON else [from_xml.data_set(text)]
    except Malformed as error:
        raise Invalid(str(error)) from None
    for document in documents:
        try:
            yield from_json.data_set(document) if form is Form.JSON else document
        except Malformed as error:
            yield error
