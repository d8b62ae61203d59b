"""The document from end to end, in the order of PS3.2."""

from itertools import chain

from dimse import contexts, status
from dimse.command import Operation
from dimse.statement import association, prose, query
from dimse.statement.markdown import Lines, heading, paragraph, table
from dimse.statement.security import security
from dimse.statement.services import SERVICES, STORAGE, Service, name_of
from dimse.status import Status
from pacs import __version__
from pacs.config import Config


def write(config: Config) -> str:
    """For an archive with these settings, as Markdown."""
    parts = (_title(), _overview(), _networking(config), query.character_sets(), security(config), _rest())
    return "\n".join(chain.from_iterable(parts)).rstrip("\n") + "\n"


def _title() -> Lines:
    yield "<!-- Written by `pacs conformance`; do not edit. -->"
    yield from heading(1, "DICOM conformance statement")
    yield from table(
        ("Product", "Version", "Form"), [("Hilum, a DICOM archive", __version__, "after PS3.2, generated")]
    )


def _overview() -> Lines:
    yield from heading(2, "Overview")
    yield from paragraph(
        "Hilum keeps composite objects and gives them back as they came. It is asked over DIMSE, described",
        "here, and over DICOMweb (PS3.18).",
    )
    rows = (
        (s.title, f"{s.paragraph}", _yes(offered=s.scu), _yes(offered=s.scp), len(s.sop_classes))
        for s in SERVICES
    )
    yield from table(("Service", "Standard", "SCU", "SCP", "SOP classes"), rows)
    yield from paragraph("No media storage application profile is claimed. Nothing is printed.")


def _yes(*, offered: bool) -> str:
    return "yes" if offered else "no"


def _networking(config: Config) -> Lines:
    yield from heading(2, "Networking")
    yield from paragraph(
        f"There is one application entity, {config.dimse.aet} by default, on TCP port {config.dimse.port}",
        "(both configurable). Any number of listener processes share the port. It calls other application",
        "entities to deliver what they, or others for them, have asked for.",
    )
    yield from association.section(config)
    for service in SERVICES:
        yield from _service(service)


def _service(service: Service) -> Lines:
    yield from heading(3, service.title)
    roles = [role for role, offered in (("SCU", service.scu), ("SCP", service.scp)) if offered]
    operations = ", ".join(operation.name.replace("_", "-") for operation in service.operations)
    yield from paragraph(f"{service.paragraph}; {operations}; as {' and '.join(roles)}.")
    yield service.behaviour
    if service is STORAGE:
        yield from paragraph("SOP classes and transfer syntaxes are listed at the end.")
    else:
        yield from table(("SOP class", "UID"), ((name_of(uid), uid) for uid in service.sop_classes))
        yield from paragraph(
            "Transfer syntaxes: " + ", ".join(sorted(map(name_of, service.transfer_syntaxes))) + "."
        )
    for operation in service.operations:
        yield from _statuses(operation)
    if Operation.C_FIND in service.operations and contexts.MODALITY_WORKLIST not in service.sop_classes:
        yield from query.keys()


def _statuses(operation: Operation) -> Lines:
    own = status.OF_SERVICE[operation]
    general = (*status.of_errors(operation), *status.OF_EVERY_SERVICE)
    found: dict[int, Status] = {}
    for one in (*own, *general):
        found.setdefault(one.code, one)
    rows = ((f"{code:04X}", _kind(one), one.comment or _MEANING[code]) for code, one in sorted(found.items()))
    yield from table((f"Status of {operation.name.replace('_', '-')}", "Kind", "Meaning"), rows)


_MEANING = {
    status.SUCCESS.code: "done",
    status.PENDING.code: "more follows; every key was matched, or sub-operations go on",
    status.PENDING_UNSUPPORTED_KEYS.code: "a match, found without some of the optional keys",
    status.CANCEL.code: "ended because the requestor asked for it",
}


def _kind(one: Status) -> str:
    if one.is_success:
        return "success"
    if one.is_pending:
        return "pending"
    if one.code == status.CANCEL.code:
        return "cancel"
    return "warning" if one.is_warning else "failure"


def _rest() -> Lines:
    yield from heading(2, "Stored objects")
    yield prose.OBJECTS
    yield from table(("Transfer syntax", "UID"), sorted((name_of(u), u) for u in STORAGE.transfer_syntaxes))
    yield from table(("Storage SOP class", "UID"), ((name_of(u), u) for u in STORAGE.sop_classes))
