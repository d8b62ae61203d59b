"""Every table of the archive. The columns of the four levels derive from `pacs.dicom.attributes`.

The schema equals the sum of the migrations; a test compares them.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
)

from pacs.db.types import Identity, Text
from pacs.dicom import attributes
from pacs.dicom.level import Level

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", Identity, primary_key=True, autoincrement=True)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _ref(name: str, target: str) -> Column[int]:
    return Column(name, Identity, ForeignKey(f"{target}.id"), nullable=False)


def column_names(attribute: attributes.Attribute) -> tuple[str, ...]:
    """The index columns of one attribute: none, one, or three for a person name."""
    match attribute.column:
        case attributes.Column.NONE | attributes.Column.COMPUTED:
            return ()
        case attributes.Column.NAME:
            return tuple(f"{attribute.column_name}_{group}" for group in "aip")
        case _:
            return (attribute.column_name,)


def _columns(level: Level) -> list[Column[str] | Column[int]]:
    columns: list[Column[str] | Column[int]] = []
    for attribute in attributes.at_level(level):
        for name in column_names(attribute):
            if attribute.column is attributes.Column.NUMBER:
                columns.append(Column(name, BigInteger))
            else:
                columns.append(_text(name))
    return columns


_UNIQUE = {"study_instance_uid", "series_instance_uid", "sop_instance_uid"}


def _indexes(level: Level) -> list[Index]:
    return [
        Index(None, name, unique=name in _UNIQUE)
        for attribute in attributes.at_level(level)
        if attribute.indexed
        for name in column_names(attribute)
    ]


# `patient_key` is identity as recorded: ID, issuer, folded name and birth date, so that no study is
# ever shown under a name that its own objects do not carry. Objects without an ID stand alone.
patients = Table(
    "patients",
    metadata,
    _id(),
    Column("patient_key", Text, nullable=False, unique=True),
    *_columns(Level.PATIENT),
    _text("attrs"),
    _count("definer_ns"),
    _text("definer_uid"),
    _count("n_studies"),
    _count("n_series"),
    _count("n_instances"),
    *_indexes(Level.PATIENT),
)

studies = Table(
    "studies",
    metadata,
    _id(),
    _ref("patient_id_fk", "patients"),
    *_columns(Level.STUDY),
    _text("attrs"),
    # The instance whose values stand for the study: the first received (see pacs.index.catalog).
    _count("definer_fk"),
    _count("definer_ns"),
    _text("definer_uid"),
    _text("modalities"),
    _text("sop_classes"),
    _count("n_series"),
    _count("n_instances"),
    _count("bytes"),
    _count("updated_ns"),
    Index(None, "patient_id_fk"),
    Index("ix_studies_newest", "study_date", "study_time", "study_instance_uid"),
    *_indexes(Level.STUDY),
)

series = Table(
    "series",
    metadata,
    _id(),
    _ref("study_fk", "studies"),
    *_columns(Level.SERIES),
    _text("attrs"),
    _count("definer_fk"),
    _count("definer_ns"),
    _text("definer_uid"),
    _count("n_instances"),
    _count("updated_ns"),
    _count("revision"),  # counted up by every change of the series and of what is in it
    Index(None, "study_fk"),
    *_indexes(Level.SERIES),
)

instances = Table(
    "instances",
    metadata,
    _id(),
    _ref("series_fk", "series"),
    _ref("study_fk", "studies"),
    *_columns(Level.IMAGE),
    _text("attrs"),
    _text("transfer_syntax"),
    _count("size"),
    _count("dataset_offset"),
    _text("digest"),  # SHA-256 of the data set as received
    _text("prefix_digest"),  # SHA-256 of what stands before it in the file
    _count("n_frames"),
    Column("frames", LargeBinary),
    Column("json", LargeBinary, nullable=False),
    _count("first_received_ns"),
    _count("received_ns"),
    Index(None, "series_fk"),
    Index(None, "study_fk"),
    *_indexes(Level.IMAGE),
)

# Former bytes of a superseded instance: kept, found by the administrator, never delivered unasked.
versions = Table(
    "versions",
    metadata,
    _id(),
    _text("sop_instance_uid"),
    _text("digest"),
    _text("prefix_digest"),
    _text("transfer_syntax"),
    _count("size"),
    _count("dataset_offset"),
    _count("received_ns"),
    Column("key", Text, nullable=False),
    Column("tier", Text, nullable=False, server_default="hot"),
    _count("offset"),
    UniqueConstraint("sop_instance_uid", "digest"),
    UniqueConstraint("tier", "key", "offset"),
)

locations = Table(
    "locations",
    metadata,
    _id(),
    _ref("instance_fk", "instances"),
    Column("tier", Text, nullable=False),
    Column("key", Text, nullable=False),
    _count("offset"),
    _count("length"),
    Index(None, "instance_fk"),
    UniqueConstraint("tier", "key", "offset"),
)

# A pack of the cold tier, written down before its first byte is sent; `verified_ns` is when it was
# read back and found right, 0 before. Locations name it by `key`.
packs = Table(
    "packs",
    metadata,
    _id(),
    Column("key", Text, nullable=False, unique=True),
    _text("study_uid"),
    _text("series_uid"),
    _count("size"),
    _count("begun_ns"),
    _count("verified_ns"),
    _text("claimed_by"),
    _count("claimed_until_ns"),
    Index(None, "study_uid"),
)

# Hot files that no row names any more and that are to be removed, not before `due_ns`.
evictions = Table(
    "evictions",
    metadata,
    _id(),
    Column("key", Text, nullable=False, unique=True),
    _count("due_ns"),
)

# What became of an attempt to keep an object (its bytes at rest have this `digest`) in less space.
# Without a `reason` it was recompressed, and the received_ columns tell what it was before.
recompressions = Table(
    "recompressions",
    metadata,
    _id(),
    Column("sop_instance_uid", Text, nullable=False),
    Column("digest", Text, nullable=False),
    _text("received_digest"),
    _text("received_syntax"),
    _count("received_size"),
    _count("size"),
    _text("reason"),
    _count("at_ns"),
    UniqueConstraint("sop_instance_uid", "digest"),
    Index(None, "sop_instance_uid", "received_digest"),
)

# What is known of a study only here: when it was last read, and why it must stay where it is.
study_care = Table(
    "study_care",
    metadata,
    Column("study_uid", Text, primary_key=True),
    _count("last_read_ns"),
    _text("hold"),
    Index(None, "last_read_ns"),
)

# What was deleted, request by request. `name` is known outside and names the marker file; `marked`
# says that the marker is there. `state` is that of pacs.index.trash.State.
deletions = Table(
    "deletions",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    _text("level"),
    _text("study_uid"),
    _text("series_uid"),
    _text("sop_instance_uid"),
    _text("patient_id"),
    _count("at_ns"),
    _text("actor"),
    _text("origin"),
    _text("reason"),
    _count("n_instances"),
    _count("bytes"),
    _text("state"),
    _count("marked"),
    Index(None, "study_uid"),
    Index(None, "state", "at_ns"),
)

# One file of a deleted instance: the version that was `current` then (only it has `json`), or a former
# one. `received_digest` is the digest of what was received, `digest` that of what lies there.
trash = Table(
    "trash",
    metadata,
    _id(),
    _ref("deletion_fk", "deletions"),
    _text("study_uid"),
    _text("series_uid"),
    _text("sop_instance_uid"),
    _text("sop_class_uid"),
    _count("current"),
    _text("transfer_syntax"),
    _count("size"),
    _count("dataset_offset"),
    _text("digest"),
    _text("prefix_digest"),
    _text("received_digest"),
    _count("n_frames"),
    Column("frames", LargeBinary),
    Column("json", LargeBinary),
    _count("first_received_ns"),
    _count("received_ns"),
    Index(None, "deletion_fk"),
    Index(None, "study_uid", "series_uid", "sop_instance_uid"),
    Index(None, "sop_instance_uid", "received_ns"),
)

# Where it lies. Of what was purged: `leaving` while its hot file may still be there, `cold` while it is
# inside a pack that holds others, too.
trash_places = Table(
    "trash_places",
    metadata,
    _id(),
    _ref("trash_fk", "trash"),
    Column("tier", Text, nullable=False),
    Column("key", Text, nullable=False),
    _count("offset"),
    _count("length"),
    Index(None, "trash_fk"),
    Index(None, "tier", "key"),
)

quarantine = Table(
    "quarantine",
    metadata,
    _id(),
    _count("at_ns"),
    _text("rule"),
    _text("reason"),
    Column("key", Text, nullable=False, unique=True),
    _text("digest"),
    _count("size"),
    _text("actor"),
    _text("origin"),
    _text("sop_instance_uid"),
)

# `tx` is the transaction's own number on PostgreSQL. Rows become visible in commit order, not in
# the order of `seq`; a reader takes only rows of transactions older than any still running.
outbox = Table(
    "outbox",
    metadata,
    Column("seq", Identity, primary_key=True, autoincrement=True),
    Column("tx", BigInteger, nullable=False, server_default="0"),
    _count("at_ns"),
    _text("kind"),
    _text("study_uid"),
    _text("series_uid"),
    _text("sop_instance_uid"),
    _text("payload"),
    Index(None, "tx", "seq"),
)

audit = Table(
    "audit",
    metadata,
    _id(),
    _count("at_ns"),
    _text("actor"),
    _text("roles"),
    _text("origin"),
    _text("channel"),
    _text("action"),
    _text("outcome"),
    _text("patient_id"),
    _text("study_uid"),
    _text("detail"),
    Index(None, "study_uid"),
    Index(None, "patient_id"),
    Index(None, "at_ns"),
)

LEVELS: dict[Level, Table] = {
    Level.PATIENT: patients,
    Level.STUDY: studies,
    Level.SERIES: series,
    Level.IMAGE: instances,
}

# What stations want to be told is kept (pacs.commitment.rows). `turn` counts the requests under one
# transaction UID, `digest` is that of the objects named, `seq` the event that it waits for. Who tells
# the result holds it until `held_until_ns`. These rows are no cache: a rebuilt index keeps them.
commitments = Table(
    "commitments",
    metadata,
    _id(),
    _text("aet"),
    _text("transaction_uid"),
    _count("turn"),
    _text("digest"),
    _count("n_objects"),
    _count("n_failed"),
    _count("asked_ns"),
    _count("decided_ns"),
    _count("told_ns"),
    _text("told_by"),
    _text("held_by"),
    _count("held_until_ns"),
    _count("seq"),
    UniqueConstraint("aet", "transaction_uid", "turn"),
    Index(None, "told_ns"),
)

commitment_objects = Table(
    "commitment_objects",
    metadata,
    _id(),
    _ref("commitment_fk", "commitments"),
    _text("sop_class_uid"),
    _text("sop_instance_uid"),
    _text("verdict"),
    Index(None, "commitment_fk", "verdict"),
)


def _sounds(name: str, of: Table) -> Table:
    """What the words of person names sound like (pacs.dicom.sounds), for each attribute that has columns."""
    return Table(
        name,
        metadata,
        Column("tag", BigInteger, primary_key=True, autoincrement=False),
        Column("sound", Text, primary_key=True),
        Column("owner_fk", Identity, ForeignKey(of.c.id, ondelete="CASCADE"), primary_key=True),
        Index(None, "owner_fk"),
    )


SOUNDS: dict[Level, Table] = {
    Level.PATIENT: _sounds("patient_sounds", patients),
    Level.STUDY: _sounds("study_sounds", studies),
    Level.SERIES: _sounds("series_sounds", series),
}

# The metadata of a series ready to be sent, compressed; true as long as the series has this revision.
series_documents = Table(
    "series_documents",
    metadata,
    Column(
        "series_fk",
        Identity,
        ForeignKey("series.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    _count("revision"),
    _text("digest"),
    Column("document", LargeBinary, nullable=False),
)

# How far a named reader of the outbox has come (pacs.outbox.log).
outbox_cursors = Table(
    "outbox_cursors",
    metadata,
    Column("name", Text, primary_key=True),
    _count("tx"),
    _count("seq"),
)

# Events set aside for one subscriber: to be worked on, to be tried again, or parked (never due).
deliveries = Table(
    "deliveries",
    metadata,
    _id(),
    Column("subscriber", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    _count("at_ns"),
    _text("kind"),
    _text("study_uid"),
    _text("series_uid"),
    _text("sop_instance_uid"),
    _text("payload"),
    _count("attempts"),
    _count("due_ns"),
    _count("parked_ns"),
    _text("reason"),
    UniqueConstraint("subscriber", "seq"),
    Index(None, "subscriber", "due_ns"),
    Index(None, "parked_ns", "id"),
)

# `quiet_since_ns` is when the latest object of a study came; empty once that has been settled.
settling = Table(
    "settling",
    metadata,
    Column("study_uid", Text, primary_key=True),
    Column("quiet_since_ns", BigInteger),
    _count("generation"),
    Index(None, "quiet_since_ns"),
)

# One row, raised by every change of the reading list before anything else is touched: changes of
# the list happen one after the other, so their versions become visible in order.
worklist_version = Table(
    "worklist_version",
    metadata,
    _id(),
    _count("version"),
)

# `rank_ns` orders the list at any time (pacs.reading.priority); `lead_fk` is the finding behind the
# urgency, 0 for none. A claim ends by itself when `held_until_ns` has passed.
worklist = Table(
    "worklist",
    metadata,
    Column("study_uid", Text, primary_key=True),
    _text("patient_id"),
    _count("generation"),
    _text("requested"),
    Column("urgency", Double, nullable=False, server_default="0"),
    _count("lead_fk"),
    _count("waiting_since_ns"),
    _count("rank_ns"),
    _text("holder"),
    _count("held_until_ns"),
    _count("done"),
    _count("done_ns"),
    _text("done_by"),
    _count("gone"),  # the study is in the trash: not listed, told as a change
    _count("version"),
    Index(None, "done", "rank_ns", "study_uid"),
    Index(None, "version"),
    Index(None, "held_until_ns"),
)

# What a model said of a study, run by run; `current` marks the latest run of each model.
model_runs = Table(
    "model_runs",
    metadata,
    _id(),
    _text("study_uid"),
    _text("model"),
    _text("model_version"),
    _text("run"),
    _count("at_ns"),
    _count("current"),
    _count("ordinal"),
    UniqueConstraint("study_uid", "model", "run"),
)

findings = Table(
    "findings",
    metadata,
    _id(),
    _ref("run_fk", "model_runs"),
    _text("name"),
    Column("severity", Double, nullable=False),
    Column("confidence", Double, nullable=False),
    _text("verdict"),
    _text("judged_by"),
    _count("judged_ns"),
    Index(None, "run_fk"),
)

score_cards = Table(
    "score_cards",
    metadata,
    Column("model", Text, primary_key=True),
    Column("model_version", Text, primary_key=True),
    _count("accepted"),
    _count("modified"),
    _count("rejected"),
)

# Tokens the archive gave away, by their digest: whose, for what, and until when.
grants = Table(
    "grants",
    metadata,
    Column("hash", Text, primary_key=True),
    _text("name"),
    _text("study_uid"),
    _text("run"),
    _count("until_ns"),
    Index(None, "run"),
    Index(None, "until_ns"),
)

# What models were asked (ai_routing.runs): one row for each model and settling of a study. `seq` is
# the event that the run's present piece of work is known by, `until_ns` how long an answer that was
# promised is waited for, `answer` what was answered, until it is kept as an object.
ai_runs = Table(
    "ai_runs",
    metadata,
    _id(),
    Column("run", Text, nullable=False, unique=True),
    _text("study_uid"),
    _text("model"),
    _count("ordinal"),
    _count("generation"),
    _text("rule"),
    _text("state"),
    _text("reason"),
    _count("asked"),
    _count("seq"),
    _count("created_ns"),
    _count("until_ns"),
    _count("answered_ns"),
    _text("answer_digest"),
    Column("answer", LargeBinary),
    _text("report_uid"),
    UniqueConstraint("study_uid", "model", "ordinal"),
    Index(None, "state", "until_ns"),
)

# What is to be scanned: one row for each requested procedure, `attrs` all that was said of it in DICOM
# JSON. `patient_name` holds the folded component groups, to narrow searches by.
orders = Table(
    "orders",
    metadata,
    _id(),
    Column("study_uid", Text, nullable=False, unique=True),
    _text("patient_id"),
    _text("patient_name"),
    _text("accession_number"),
    _text("procedure_id"),
    _text("attrs"),
    _text("placed_by"),
    _count("placed_ns"),
    _count("cancelled_ns"),
    Index(None, "patient_id"),
    Index(None, "accession_number"),
)

# `said_status` is what the order said of the step, `status` what has become of it since; `ended` is 1
# when nothing more is to be done for it. `stations` is `\A\B\`.
scheduled_steps = Table(
    "scheduled_steps",
    metadata,
    _id(),
    _ref("order_fk", "orders"),
    Column("step_id", Text, nullable=False),
    _text("stations"),
    _text("modality"),
    _text("start_date"),
    _text("start_time"),
    _text("said_status"),
    _text("status"),
    _count("ended"),
    _text("attrs"),
    UniqueConstraint("order_fk", "step_id"),
    Index(None, "ended", "start_date", "start_time", "id"),
    Index(None, "start_date", "start_time", "id"),
)

# What a modality told of its work (MPPS), `attrs` all of it in DICOM JSON. Until `awaited_until_ns`
# the objects it names are looked out for; they stand in `performed_instances` for so long.
performed_steps = Table(
    "performed_steps",
    metadata,
    _id(),
    Column("sop_instance_uid", Text, nullable=False, unique=True),
    _text("status"),
    _text("reason"),
    _text("station"),
    _text("patient_id"),
    _text("attrs"),
    _count("created_ns"),
    _count("changed_ns"),
    _count("awaited_until_ns"),
    Index(None, "awaited_until_ns"),
)

performed_studies = Table(
    "performed_studies",
    metadata,
    Column("performed_fk", Identity, ForeignKey("performed_steps.id"), primary_key=True),
    Column("study_uid", Text, primary_key=True),
    Index(None, "study_uid"),
)

performed_scheduled = Table(
    "performed_scheduled",
    metadata,
    Column("performed_fk", Identity, ForeignKey("performed_steps.id"), primary_key=True),
    Column("step_fk", Identity, ForeignKey("scheduled_steps.id"), primary_key=True),
    Index(None, "step_fk"),
)

performed_instances = Table(
    "performed_instances",
    metadata,
    Column("performed_fk", Identity, ForeignKey("performed_steps.id"), primary_key=True),
    Column("sop_instance_uid", Text, primary_key=True),
)

# Unified procedure steps (pacs.workitems.rows). `final_ns` is when a step ended, `deleted_ns` when it
# was forgotten, which leaves its UID; `starts_at` orders the list.
workitems = Table(
    "workitems",
    metadata,
    _id(),
    Column("uid", Text, nullable=False, unique=True),
    _text("state"),
    _text("priority"),
    _text("label"),
    _text("worklist_label"),
    _text("patient_id"),
    _text("study_uid"),
    _text("readiness"),
    _text("starts_at"),
    _text("transaction_uid"),
    _count("reading"),
    _count("final_ns"),
    _count("deleted_ns"),
    Column("json", LargeBinary, nullable=False),
    Index(None, "deleted_ns", "starts_at", "uid"),
    Index(None, "final_ns"),
    Index(None, "patient_id"),
    Index(None, "study_uid"),
)

# Who is told of a step, by AE title; a lock keeps it from being forgotten.
workitem_subscriptions = Table(
    "workitem_subscriptions",
    metadata,
    Column("workitem_uid", Text, primary_key=True),
    Column("aet", Text, primary_key=True),
    _count("lock"),
    Index(None, "aet"),
)

# Who is subscribed to steps as they come: all of them, or those that match the keys of `filter`.
workitem_watchers = Table(
    "workitem_watchers",
    metadata,
    Column("aet", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    _count("lock"),
    _text("filter"),
)

# How far in the outbox each subscriber has been told.
workitem_receivers = Table(
    "workitem_receivers",
    metadata,
    Column("aet", Text, primary_key=True),
    _count("tx"),
    _count("seq"),
)
