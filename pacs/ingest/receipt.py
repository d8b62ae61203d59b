"""What the archive answers to an object that was brought to it."""

from dataclasses import dataclass

from pacs.dicom.uids import InstanceKey


@dataclass(frozen=True, slots=True)
class Stored:
    """The object is durable and indexed. `remark` says, without patient data, what is wrong with it
    all the same."""

    key: InstanceKey
    sop_class: str
    digest: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The very same bytes were already here; nothing was written."""

    key: InstanceKey
    sop_class: str
    digest: str


@dataclass(frozen=True, slots=True)
class Superseded:
    """Other bytes under a known SOP Instance UID: both are kept, the later one is current."""

    key: InstanceKey
    sop_class: str
    digest: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Not accepted. `rule` is the name of the rule that refused (see `pacs.ingest.validate`),
    `reason` a sentence without patient data. The bytes are in quarantine unless there were none.
    UIDs are what could be read of them, else empty."""

    rule: str
    reason: str
    sop_class: str = ""
    sop_instance: str = ""


Receipt = Stored | Duplicate | Superseded | Refused
