"""Settings of one known station."""

from dataclasses import dataclass
from typing import Final, Literal

from pacs.config.fields import needed, setting

ROLES: Final = ("viewer", "sender", "admin")
"""What a token or a station may be given; the meaning is `pacs.auth.policy`'s."""

RoleName = Literal["viewer", "sender", "admin"]

RIGHTS: Final = ("echo", "store", "query", "retrieve", "commitment", "worklist", "mpps")
"""What a station may be limited to; the meaning is `pacs.auth.policy`'s."""

RightName = Literal["echo", "store", "query", "retrieve", "commitment", "worklist", "mpps"]


@dataclass(frozen=True, slots=True)
class Peer:
    """An application entity we know: it may call us, and we may send to it."""

    aet: str
    host: str = needed("Address or name of the station.", form="host")
    port: int = setting(104, "Its DICOM port (PS3.8 9.1.1 registers 104 and 11112).", low=1, high=65535)
    roles: tuple[RoleName, ...] = setting(
        ("viewer", "sender"), "What it may do when it calls us: viewer, sender, admin."
    )
    rights: tuple[RightName, ...] = setting(
        RIGHTS,
        "Of what its roles allow, the services it may use: echo, store, query, retrieve, commitment, "
        "worklist, mpps.",
    )
    tls: bool = setting(False, "Whether its port speaks TLS; [dimse.tls] says whom we trust.")
    commitment: Literal["same", "new"] = setting(
        "same",
        "Where it hears that its objects are kept: on the association it asked on while that is open, "
        "or always on a new one.",
    )
    send_transfer_syntaxes: tuple[str, ...] = setting(
        (),
        "Transfer syntaxes it would rather have, the best first, by UID or keyword: what is stored in one of "
        "them goes as it is, everything else is converted to the first that it accepts and that is possible. "
        "Empty: objects go as they are stored wherever that is accepted.",
        form="transfer-syntax",
    )
    accept_transfer_syntaxes: tuple[str, ...] = setting(
        (),
        "Transfer syntaxes taken first of those it proposes for storage, the best first, by UID or keyword. "
        "Empty: the first it proposes.",
        form="transfer-syntax",
    )
    character_set: str = setting(
        "",
        "Specific Character Set of every answer it gets, e.g. ISO_IR 100 or \\\\ISO 2022 IR 87; what that "
        "lacks becomes a question mark. Also how its requests are read that name none. Empty: the one of "
        "its request, or UTF-8.",
        form="character-set",
    )
