"""Read a spooled object: what it is, where its frames lie, its ready JSON. A table of named rules
decides what cannot be kept as an object."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pacs.dicom import header, json, uids
from pacs.dicom.attributes import tag_of
from pacs.dicom.header import FileMeta, Unreadable, Walk
from pacs.dicom.level import Level
from pacs.dicom.uids import InstanceKey
from pacs.errors import Invalid
from pacs.index import entry as entries
from pacs.index.entry import Entry
from pacs.pixels import opened
from pacs.pixels.frames import FrameTable
from pacs.store.disk import DiskBlob, mapped
from pacs.store.inflate import DEFLATED, inflate
from pacs.store.spool import Spooled

# What stops an object from being kept as one; the bytes go to quarantine.
RULES: dict[str, str] = {
    "empty": "there are no bytes",
    "not-dicom": "no Part 10 file and no data set",
    "truncated": "the bytes end before the data set does",
    "unreadable": "the data set breaks the encoding rules of PS3.5 7",
    "too-deep": f"sequences nested more than {header.MAX_DEPTH} deep",
    "too-large-inflated": "a deflated data set that is broken or inflates beyond all measure",
    "transfer-syntax": "the Transfer Syntax UID is no UID",
    "missing-uid": "SOP Class, SOP Instance, Study Instance or Series Instance UID is missing",
    "invalid-uid": "one of these UIDs is no UID (PS3.5 9.1)",
    "expected-study": "the study is not the one the request names",
    "expected-sop-class": "the SOP class is not the one the command names",
    "expected-sop-instance": "the SOP instance is not the one the command names",
    "expected-patient": "the patient is not the one whose study it is to belong to",
    "no-result": "the SOP class is none in which results of reading a study are stored",
    "described": "the metadata describes no data set (PS3.18 F, PS3.19 A.1)",
    "bulk-data": "bulk data that the metadata names was not sent, or not so that it fits",
    "keep-first": "other bytes are already kept under this SOP Instance UID",
}

_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True, slots=True)
class Expected:
    """What the request said about the object; empty fields were not said."""

    study: str = ""
    sop_class: str = ""
    sop_instance: str = ""


class Broken(Exception):
    """The object breaks a rule. UIDs are what could be read before it was known."""

    def __init__(self, rule: str, reason: str, *, sop_class: str = "", sop_instance: str = "") -> None:
        super().__init__(reason)
        self.rule = rule
        self.sop_class = sop_class
        self.sop_instance = sop_instance


def file_meta(spooled: Spooled) -> tuple[FileMeta, bool]:
    """File Meta Information, and whether the file is a proper Part 10 file as it stands.

    A data set without preamble, or whose File Meta Information names no transfer syntax, is
    recognised by its first element. Raises Broken."""
    if not spooled.size:
        raise Broken("empty", RULES["empty"])
    buffer = memoryview(spooled.prefix) if spooled.prefix else mapped(spooled.fileno())
    try:
        if not header.has_preamble(buffer):
            meta = header.guess_headless(buffer)
            return (meta if meta.transfer_syntax else _guess_syntax(buffer, meta)), False
        meta = header.read_meta(buffer)
        return (meta, True) if meta.transfer_syntax else (_guess_syntax(buffer, meta), False)
    except Unreadable as error:
        raise Broken(error.rule, str(error)) from error


def _guess_syntax(buffer: memoryview, meta: FileMeta) -> FileMeta:
    guessed = header.guess_headless(buffer[meta.dataset_offset :])
    return FileMeta(guessed.transfer_syntax, meta.sop_class, meta.sop_instance, meta.dataset_offset)


def examine(spooled: Spooled, meta: FileMeta, expected: Expected) -> Entry:
    """The index entry of a sealed Part 10 file. Raises Broken."""
    if not uids.is_valid(meta.transfer_syntax):
        raise Broken("transfer-syntax", RULES["transfer-syntax"], sop_instance=meta.sop_instance)
    try:
        walked, table = _opened(spooled, meta)
        encoded = json.encode(walked)
    except Unreadable as error:
        raise Broken(
            error.rule, str(error), sop_class=meta.sop_class, sop_instance=meta.sop_instance
        ) from error
    key, sop_class = _identity(encoded, expected)
    return Entry(
        key=key,
        sop_class=sop_class,
        transfer_syntax=meta.transfer_syntax,
        size=spooled.size,
        dataset_offset=meta.dataset_offset,
        digest=spooled.digest,
        prefix_digest=spooled.prefix_digest,
        received_ns=spooled.received_ns,
        n_frames=table.count if table else 0,
        frames=table.to_bytes() if table else None,
        json=entries.compress(encoded.document()),
        patient_key=entries.patient_key(encoded, key.study),
        levels={level: entries.level_row(encoded, level) for level in Level},
        remark=_remark(walked, table),
    )


def _remark(walked: Walk, table: FrameTable | None) -> str:
    """What an image promises and does not hold. It is kept: there may be no other."""
    promised = header.integer(walked, tag_of("NumberOfFrames"), 1)
    if table is None or table.stream or table.count >= promised:
        return ""
    return f"pixel data of {table.count} frames where the object says {promised}"


def _identity(encoded: json.Encoded, expected: Expected) -> tuple[InstanceKey, str]:
    sop_class, instance, study, series = (entries.text(encoded, keyword) for keyword in _UIDS)
    named = dict(zip(_UIDS, (sop_class, instance, study, series), strict=True))
    for keyword, uid in named.items():
        if not uid:
            raise Broken("missing-uid", f"{keyword} is missing", sop_class=sop_class, sop_instance=instance)
        if not uids.is_valid(uid):
            raise Broken("invalid-uid", f"{keyword} is no UID (PS3.5 9.1)")
    checks = (
        ("expected-study", expected.study, study),
        ("expected-sop-class", expected.sop_class, sop_class),
        ("expected-sop-instance", expected.sop_instance, instance),
    )
    for rule, said, found in checks:
        if said and said != found:
            raise Broken(rule, RULES[rule], sop_class=sop_class, sop_instance=instance)
    return InstanceKey(study, series, instance), sop_class


def _opened(spooled: Spooled, meta: FileMeta) -> tuple[Walk, FrameTable | None]:
    """Raises Unreadable and Broken."""
    syntax, offset = meta.transfer_syntax, meta.dataset_offset
    if syntax not in DEFLATED:
        walked = header.walk_beginning(memoryview(spooled.beginning), spooled.size, syntax, offset)
        if walked is not None:
            return walked, opened.frame_table(walked, spooled.pread, syntax)
    with _readable(spooled, meta) as blob:
        walked = header.walk(mapped(blob.fileno()), syntax, offset)
        return walked, opened.frame_table(walked, blob.pread, syntax)


@contextmanager
def _readable(spooled: Spooled, meta: FileMeta) -> Iterator[DiskBlob]:
    """The object with its data set laid open: itself, unless it is deflated."""
    blob = DiskBlob(os.dup(spooled.fileno()))
    try:
        if meta.transfer_syntax in DEFLATED:
            with blob:
                blob = inflate(blob, meta.dataset_offset, spooled.path.parent)
        yield blob
    except Invalid as error:
        raise Broken("too-large-inflated", str(error)) from error
    finally:
        blob.close()
