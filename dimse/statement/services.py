"""The services of the DICOM port, as a reader of the statement looks for them. What `dimse.session`
answers and this table lacks, or the other way round, fails a test."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from pydicom._uid_dict import UID_dictionary

from dimse import contexts
from dimse.command import Operation
from dimse.statement import prose


@dataclass(frozen=True, slots=True)
class Service:
    """`operations` are those it answers as SCP; `scu` and `scp` say in which roles it is offered."""

    title: str
    paragraph: str
    operations: tuple[Operation, ...]
    sop_classes: tuple[str, ...]
    transfer_syntaxes: Collection[str]
    behaviour: str
    scu: bool = False
    scp: bool = True


def name_of(uid: str) -> str:
    return str(UID_dictionary.get(uid, (uid,))[0])


def _ordered(uids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(uids, key=lambda uid: (name_of(uid), uid)))


def _model(title: str, paragraph: str, operation: Operation, behaviour: str) -> Service:
    models = tuple(contexts.MODELS[operation])
    return Service(title, paragraph, (operation,), models, contexts.QUERY_SYNTAXES, behaviour)


STORAGE: Final = Service(
    "Storage",
    "PS3.4 B",
    (Operation.C_STORE,),
    _ordered(contexts.STORAGE),
    contexts.TRANSFER_SYNTAXES,
    prose.STORAGE,
    scu=True,
)
SERVICES: Final[tuple[Service, ...]] = (
    Service(
        "Verification",
        "PS3.4 A",
        (Operation.C_ECHO,),
        (contexts.VERIFICATION,),
        contexts.QUERY_SYNTAXES,
        prose.VERIFICATION,
        scu=True,
    ),
    STORAGE,
    _model("Query", "PS3.4 C.4.1", Operation.C_FIND, prose.QUERY),
    _model("Retrieve by C-MOVE", "PS3.4 C.4.2", Operation.C_MOVE, prose.MOVE),
    _model("Retrieve by C-GET", "PS3.4 C.4.3", Operation.C_GET, prose.GET),
    Service(
        "Storage commitment, push model",
        "PS3.4 J.3",
        (Operation.N_ACTION,),
        (contexts.STORAGE_COMMITMENT,),
        contexts.QUERY_SYNTAXES,
        prose.COMMITMENT,
    ),
    Service(
        "Modality worklist",
        "PS3.4 K",
        (Operation.C_FIND,),
        (contexts.MODALITY_WORKLIST,),
        contexts.QUERY_SYNTAXES,
        prose.WORKLIST,
    ),
    Service(
        "Modality performed procedure step",
        "PS3.4 F.7",
        (Operation.N_CREATE, Operation.N_SET),
        (contexts.PERFORMED_STEP,),
        contexts.QUERY_SYNTAXES,
        prose.PERFORMED_STEP,
    ),
)
