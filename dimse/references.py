"""The data set of a storage commitment request (PS3.4 Table J.3-1)."""

from collections.abc import Iterable, Iterator
from typing import Final

from dimse.channel import Channel, Request
from pacs.commitment.model import Asked, Reference
from pacs.dicom import header
from pacs.dicom.attributes import tag_of
from pacs.dicom.header import DataSet, Unreadable
from pacs.errors import Invalid

MAX_SIZE: Final = 32 << 20  # more than the largest request that is taken needs
_TRANSACTION: Final = tag_of("TransactionUID")
_SEQUENCE: Final = tag_of("ReferencedSOPSequence")
_CLASS: Final = tag_of("ReferencedSOPClassUID")
_INSTANCE: Final = tag_of("ReferencedSOPInstanceUID")


def read(request: Request, channel: Channel) -> Asked:
    """Raises Invalid for what is no data set or larger than any request needs to be."""
    gathered = bytearray()
    for fragment in channel.fragments():
        gathered += fragment
        if len(gathered) > MAX_SIZE:
            raise Invalid("the request is too large")
    return decode(bytes(gathered), request.context.transfer_syntax)


def decode(raw: bytes, transfer_syntax: str) -> Asked:
    """Raises Invalid."""
    view = memoryview(raw)
    try:
        dataset = header.walk(view, transfer_syntax).dataset
    except Unreadable as error:
        raise Invalid(f"the request cannot be read: {error}") from error
    sequence = dataset.elements.get(_SEQUENCE)
    items = (sequence.items or ()) if sequence is not None else ()
    # One object named twice is one object.
    references = dict.fromkeys(_references(view, items))
    return Asked(_text(view, dataset, _TRANSACTION), tuple(references))


def _references(raw: memoryview, items: Iterable[DataSet]) -> Iterator[Reference]:
    for item in items:
        yield Reference(_text(raw, item, _CLASS), _text(raw, item, _INSTANCE))


def _text(raw: memoryview, dataset: DataSet, tag: int) -> str:
    return header.ascii_value(raw, dataset.elements.get(tag)).strip("\0 ")
