"""Presentation contexts: what we offer and how a proposal is answered (PS3.8 9.3.2.2, PS3.7 D.3.3.4)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Final

from pydicom._uid_dict import UID_dictionary
from pynetdicom import sop_class

from dimse import extended
from dimse.associate import Answered, AssociateAccept, AssociateRequest, Proposed, Role
from dimse.command import Operation
from dimse.extended import QueryOptions
from dimse.userinfo import Extension
from pacs.dicom import uids

VERIFICATION: Final = "1.2.840.10008.1.1"
STORAGE_COMMITMENT: Final = "1.2.840.10008.1.20.1"  # the push model, PS3.4 J.3
MODALITY_WORKLIST: Final = "1.2.840.10008.5.1.4.31"  # PS3.4 K.6.1
PERFORMED_STEP: Final = "1.2.840.10008.3.1.2.3.3"  # PS3.4 F.7
MAX_CONTEXTS: Final = 128  # odd IDs from 1 to 255 (PS3.8 9.3.2.2)


class Root(Enum):
    """Where an information model begins (PS3.4 C.6)."""

    PATIENT = "patient"
    STUDY = "study"


def _root(operation: str) -> dict[str, Root]:
    table: Mapping[str, str] = sop_class._QR_CLASSES  # noqa: SLF001 - its table of the standard, PS3.4 C.6
    return {
        table[f"PatientRootQueryRetrieveInformationModel{operation}"]: Root.PATIENT,
        table[f"StudyRootQueryRetrieveInformationModel{operation}"]: Root.STUDY,
    }


MODELS: Final[Mapping[Operation, Mapping[str, Root]]] = MappingProxyType(
    {
        Operation.C_FIND: _root("Find"),
        Operation.C_MOVE: _root("Move"),
        Operation.C_GET: _root("Get"),
    }
)
# Classes with services of their own, and what may be asked of us for each (PS3.4, PS3.7 10).
NORMALIZED: Final[Mapping[str, frozenset[Operation]]] = MappingProxyType(
    {
        STORAGE_COMMITMENT: frozenset({Operation.N_ACTION}),
        MODALITY_WORKLIST: frozenset({Operation.C_FIND}),
        PERFORMED_STEP: frozenset({Operation.N_CREATE, Operation.N_SET}),
    }
)
_OPERATIONS: Final[Mapping[str, frozenset[Operation]]] = MappingProxyType(
    {
        VERIFICATION: frozenset({Operation.C_ECHO}),
        **{uid: frozenset({operation}) for operation, models in MODELS.items() for uid in models},
        **NORMALIZED,
    }
)
_STORING: Final = frozenset({Operation.C_STORE})


def _retired_storage() -> Iterable[str]:
    """Composite storage classes of earlier editions: old archives are full of them (PS3.6 A)."""
    for uid, (name, kind, _, retired, _) in UID_dictionary.items():
        in_storage_arc = uid.startswith(("1.2.840.10008.5.1.4.1.1.", "1.2.840.10008.5.1.1."))
        if (
            kind == "SOP Class"
            and retired
            and in_storage_arc
            and "Storage" in name
            and "Stored Print" not in name
        ):
            yield uid


STORAGE: Final = frozenset(sop_class._STORAGE_CLASSES.values()) | frozenset(_retired_storage())  # noqa: SLF001

_KNOWN_CLASSES: Final = frozenset(u for u, entry in UID_dictionary.items() if entry[1].endswith("SOP Class"))

# Not encodings of a data set on an association: MIME and XML wrappings, real-time video streams.
_NOT_FOR_STORAGE: Final = ("1.2.840.10008.1.2.6.", "1.2.840.10008.1.2.7.")
TRANSFER_SYNTAXES: Final = frozenset(
    uid
    for uid, entry in UID_dictionary.items()
    if entry[1] == "Transfer Syntax" and not uid.startswith(_NOT_FOR_STORAGE)
)
QUERY_SYNTAXES: Final = frozenset({uids.EXPLICIT_LE, uids.IMPLICIT_LE, uids.EXPLICIT_BE})
_YIELD_TO_EXPLICIT: Final = frozenset({uids.IMPLICIT_LE, uids.EXPLICIT_BE})


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context. `requestor_scp`: its requestor may be asked to store, which
    is how C-GET delivers (PS3.4 C.4.3.3). `extended` is what both sides agreed on beyond that."""

    id: int
    abstract_syntax: str
    transfer_syntax: str
    requestor_scp: bool = False
    extended: QueryOptions = extended.NOTHING


@dataclass(frozen=True, slots=True)
class Negotiated:
    accepted: Mapping[int, Context]
    answers: tuple[Answered, ...]
    roles: tuple[Role, ...]
    extended: tuple[Extension, ...] = ()


def negotiate(
    request: AssociateRequest,
    *,
    unknown_sop_classes: bool,
    writable: frozenset[str] = frozenset(),
    preferred: Sequence[str] = (),
) -> Negotiated:
    """Answer every proposed context; roles are granted for storage classes as proposed. `writable` are
    the transfer syntaxes that objects can be converted to, `preferred` those that are taken before all
    others when an object is sent to us, best first."""
    proposed_roles = {role.sop_class: role for role in request.roles}
    options, answered_options = _extended(request)
    accepted: dict[int, Context] = {}
    answers: list[Answered] = []
    for proposed in request.contexts:
        role = proposed_roles.get(proposed.abstract_syntax)
        scp = role is not None and role.scp and is_storage(proposed.abstract_syntax)
        first = _deliverable(proposed, writable) if scp else proposed
        wishes = () if scp else preferred
        answer = _answer(first, wishes, unknown_sop_classes=unknown_sop_classes)
        answers.append(answer)
        if answer.result == 0:
            abstract = proposed.abstract_syntax
            agreed = options.get(abstract, extended.NOTHING)
            accepted[answer.id] = Context(answer.id, abstract, answer.transfer_syntax, scp, agreed)
    classes = {c.abstract_syntax for c in accepted.values()}
    return Negotiated(
        MappingProxyType(accepted),
        tuple(answers),
        _granted(proposed_roles, classes),
        tuple(one for one in answered_options if one.sop_class in classes),
    )


def granted(request: AssociateRequest, accept: AssociateAccept) -> Mapping[int, Context]:
    """The contexts that the acceptor of our own request agreed to."""
    proposed = {c.id: c for c in request.contexts}
    asked, said = extended.by_class(request.extended), extended.by_class(accept.extended)
    options = {
        uid: extended.decode(asked[uid].info) & extended.decode(said[uid].info)
        for uid in asked.keys() & said.keys()
    }
    return MappingProxyType(
        {
            a.id: Context(
                a.id,
                proposed[a.id].abstract_syntax,
                a.transfer_syntax,
                extended=options.get(proposed[a.id].abstract_syntax, extended.NOTHING),
            )
            for a in accept.contexts
            if a.result == 0 and a.id in proposed and a.transfer_syntax in proposed[a.id].transfer_syntaxes
        }
    )


def operations_of(abstract_syntax: str) -> frozenset[Operation]:
    """The DIMSE operations a class is for; a class that is none of ours is taken for a storage class."""
    return _OPERATIONS.get(abstract_syntax, _STORING)


def is_storage(abstract_syntax: str) -> bool:
    return operations_of(abstract_syntax) == _STORING


def is_supported(abstract_syntax: str, *, unknown_sop_classes: bool) -> bool:
    if abstract_syntax in STORAGE or not is_storage(abstract_syntax):
        return True
    return unknown_sop_classes and abstract_syntax not in _KNOWN_CLASSES and uids.is_valid(abstract_syntax)


def _extended(request: AssociateRequest) -> tuple[dict[str, QueryOptions], list[Extension]]:
    """What is agreed on for each class, and the answers."""
    options: dict[str, QueryOptions] = {}
    answers: list[Extension] = []
    for uid, asked in extended.by_class(request.extended).items():
        options[uid], said = extended.answer(asked, operations_of(uid))
        if said is not None:
            answers.append(said)
    return options, answers


def _answer(proposed: Proposed, wishes: Sequence[str], *, unknown_sop_classes: bool) -> Answered:
    """Result codes of PS3.8 Table 9-18. The transfer syntax of a refusal means nothing."""
    if not is_supported(proposed.abstract_syntax, unknown_sop_classes=unknown_sop_classes):
        return Answered(proposed.id, 3, uids.IMPLICIT_LE)
    storing = is_storage(proposed.abstract_syntax)
    known = TRANSFER_SYNTAXES if storing else QUERY_SYNTAXES
    offered = tuple(t for t in proposed.transfer_syntaxes if t in known)
    wished = (t for t in wishes if storing and t in offered)
    chosen = next(wished, None) or _preferred(offered)
    if chosen is None:
        return Answered(proposed.id, 4, uids.IMPLICIT_LE)
    return Answered(proposed.id, 0, chosen)


def _deliverable(proposed: Proposed, writable: frozenset[str]) -> Proposed:
    """With the syntaxes first in which everything of the class can be given by C-GET: the peer decides
    how images are compressed, while other classes hold what is not. A video is given as it is or not
    at all."""
    name = UID_dictionary.get(proposed.abstract_syntax, ("",))[0]
    if name.startswith("Video"):
        return proposed
    good = writable if name.endswith("Image Storage") else writable & QUERY_SYNTAXES
    ordered = sorted(proposed.transfer_syntaxes, key=lambda syntax: syntax not in good)
    return replace(proposed, transfer_syntaxes=tuple(ordered))


def _preferred(known: tuple[str, ...]) -> str | None:
    """The requestor's first choice, except that Explicit VR Little Endian goes before the native
    syntaxes that lose the VRs of private elements or are retired. Compression is the sender's
    decision: preferring it could make a modality compress lossily for us."""
    if not known:
        return None
    if known[0] in _YIELD_TO_EXPLICIT and uids.EXPLICIT_LE in known:
        return uids.EXPLICIT_LE
    return known[0]


def _granted(proposed: Mapping[str, Role], classes: Collection[str]) -> tuple[Role, ...]:
    """Replies to role selection; a role that was not proposed is never granted (PS3.7 D.3.3.4.2)."""
    return tuple(
        Role(role.sop_class, role.scu, role.scp and is_storage(role.sop_class))
        for role in proposed.values()
        if role.sop_class in classes
    )
