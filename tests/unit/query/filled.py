"""An index filled with data sets, without files: what ingest would have recorded of them."""

import itertools

import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from pacs.auth.actor import Actor, Role
from pacs.db import schema
from pacs.db.connection import Database
from pacs.dicom import header, json
from pacs.dicom.level import Level
from pacs.dicom.uids import InstanceKey
from pacs.index import catalog
from pacs.index import entry as entries
from pacs.index.entry import Entry
from tests.support.factory import encode

VIEWER = Actor("viewer", frozenset({Role.VIEWER}), "127.0.0.1", "dicomweb")
SENDER = Actor("sender", frozenset({Role.SENDER}), "127.0.0.1", "dimse")

_clock = itertools.count(1)


def create(db: Database) -> Database:
    with db.write() as tx:
        schema.metadata.create_all(tx)
    return db


def add(db: Database, *datasets: Dataset) -> None:
    with db.write() as tx:
        for dataset in datasets:
            catalog.insert(tx, _entry(dataset))


def empty(db: Database) -> None:
    with db.write() as tx:
        for table in reversed(schema.metadata.sorted_tables):
            tx.execute(sa.delete(table))


def encoded(dataset: Dataset) -> json.Encoded:
    raw = encode(dataset)
    return json.encode(header.walk(memoryview(raw), ExplicitVRLittleEndian))


def _entry(dataset: Dataset) -> Entry:
    made = encoded(dataset)
    key = InstanceKey(dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
    return Entry(
        key=key,
        sop_class=dataset.SOPClassUID,
        transfer_syntax=ExplicitVRLittleEndian,
        size=1000,
        dataset_offset=0,
        digest=key.instance,
        prefix_digest="",
        received_ns=next(_clock),
        n_frames=0,
        frames=None,
        json=entries.compress(made.document()),
        patient_key=entries.patient_key(made, key.study),
        levels={level: entries.level_row(made, level) for level in Level},
    )
