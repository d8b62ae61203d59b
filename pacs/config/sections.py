"""Every setting the archive knows, its default and what it means: the one table.

`pacs config show`, the documentation, the environment variables and the reader all derive
from the fields declared here and in the modules beside it.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pacs.config.ai import AiConfig
from pacs.config.fields import needed, setting
from pacs.config.peers import RIGHTS, Peer, RightName, RoleName
from pacs.config.tiers import ColdConfig, TierConfig
from pacs.config.tls import TlsConfig


@dataclass(frozen=True, slots=True)
class IndexConfig:
    """Where the index lives."""

    url: str = setting(
        "",
        "Database of the index, e.g. postgresql://user:password@host/hilum. "
        "Empty: the SQLite file index.db in the data folder.",
        form="index-url",
        secret=True,
    )


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """How objects are kept."""

    durability: Literal["power-loss", "process-crash"] = setting(
        "power-loss",
        "What an acknowledged object survives: power-loss waits for the disk before it "
        "acknowledges; process-crash only hands the bytes to the operating system.",
    )
    conflict: Literal["supersede", "keep-first"] = setting(
        "supersede",
        "Other bytes under a known SOP Instance UID: supersede keeps both and shows the later; "
        "keep-first shows the first and puts the newcomer into quarantine.",
    )
    recompress: Literal["", "htj2k-rpcl"] = setting(
        "",
        "Keep uncompressed pixel data as HTJ2K Lossless RPCL (1.2.840.10008.1.2.4.202), made in the "
        "background and proved before the original goes; empty keeps everything as it was received.",
    )
    recompress_grace_seconds: float = setting(
        300.0, "Seconds a file stays after its object was recompressed.", low=0.0, high=86_400.0
    )


@dataclass(frozen=True, slots=True)
class DimseConfig:
    """The DIMSE listener."""

    host: str = setting(
        "127.0.0.1", "Address to listen on; beyond loopback callers have to be known ([auth]).", form="host"
    )
    port: int = setting(11112, "Port to listen on; 0 takes a free one.", low=0, high=65535)
    aet: str = setting("HILUM", "Our AE title, 1 to 16 characters.", form="aet")
    processes: int = setting(1, "Listener processes sharing the port.", low=1, high=64)
    unknown_sop_classes: bool = setting(
        False, "Accept storage SOP classes that are not in the standard's list (private ones)."
    )
    require_called_aet: bool = setting(False, "Refuse associations that call another AE title than ours.")
    user_identity: Literal["optional", "required"] = setting(
        "optional",
        "Whether every caller must prove who it is by user identity negotiation: a token as the passcode "
        "of a user, or in the place of a JSON Web Token.",
    )
    transfer_syntaxes: tuple[str, ...] = setting(
        (),
        "Transfer syntaxes, by UID or keyword, that objects are wanted in, best first, where a sender offers "
        "a choice. Empty: the sender's own order, but Explicit VR Little Endian before other uncompressed "
        "ones.",
        form="transfer-syntax",
    )
    max_associations: int = setting(100, "Associations open at once in one process.", low=1, high=10_000)
    max_pdu: int = setting(262_144, "Largest PDU we receive, in bytes.", low=4096, high=16_777_216)
    acse_timeout: float = setting(
        30.0, "Seconds a peer has to finish opening or closing an association.", low=0.1, high=3600.0
    )
    idle_timeout: float = setting(
        900.0,
        "Seconds an open association may be silent before it is aborted. Modalities hold them for long.",
        low=0.1,
        high=86_400.0,
    )
    unknown_stations: Literal["auto", "refuse", "admit"] = setting(
        "auto",
        "Callers that are none of [dimse.peers] by AE title and address: refuse or admit them. auto refuses "
        "them when [auth] is on and admits them otherwise.",
    )
    unknown_rights: tuple[RightName, ...] = setting(
        RIGHTS,
        "What unknown stations may do where they are admitted: echo, store, query, retrieve, commitment, "
        "worklist, mpps.",
    )
    peers: Mapping[str, Peer] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata={
            "help": "Known stations, one table [dimse.peers.AETITLE] each: who may call, what they may do, "
            "how they are spoken to, and where C-MOVE may send."
        },
    )
    # Tables come last: what is written behind one in a file belongs to it.
    tls: TlsConfig = field(
        default_factory=TlsConfig, metadata={"help": "TLS for the DICOM port and for calls to stations."}
    )


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The DICOMweb listener."""

    host: str = setting(
        "127.0.0.1", "Address to listen on; beyond loopback callers have to be known ([auth]).", form="host"
    )
    port: int = setting(8080, "Port to listen on; 0 takes a free one.", low=0, high=65535)
    processes: int = setting(1, "Web processes sharing the port.", low=1, high=64)
    trusted_proxies: tuple[str, ...] = setting(
        (), "Addresses or networks whose Forwarded and X-Forwarded-* headers are believed.", form="network"
    )


@dataclass(frozen=True, slots=True)
class ReadingConfig:
    """The reading list."""

    quiet_seconds: float = setting(
        60.0,
        "A study has settled, and is listed to be read, when nothing more came for so long.",
        low=0.1,
        high=86_400.0,
    )
    claim_seconds: float = setting(
        900.0, "How long a reader's claim of a study lasts unless it is renewed.", low=1.0, high=86_400.0
    )


@dataclass(frozen=True, slots=True)
class RenditionsConfig:
    """Thumbnails kept in the data folder. They can be made again at any time."""

    thumbnail_edge: int = setting(
        256, "Longer side of a thumbnail that is kept, in pixels.", low=16, high=2048
    )
    budget_bytes: int = setting(
        2_000_000_000,
        "Bytes of thumbnails that are kept; those that nobody asked for longest go first. 0 keeps none.",
        low=0,
        high=1 << 50,
    )


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """Who carries work to workers on any number of hosts."""

    url: str = setting(
        "",
        "Redis that carries background work to every worker, e.g. redis://:password@host:6379/0. "
        "Empty: each worker does what it finds.",
        form="broker-url",
        secret=True,
    )
    prefix: str = setting(
        "hilum",
        "Begins the name of every key in the broker; archives that share one need different prefixes.",
        form="name",
    )


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """A caller over HTTP, known by the digest of its token (`pacs token create`)."""

    name: str = needed("Who holds the token; appears in the audit trail.", form="name")
    hash: str = needed("Digest of the token, sha256:<64 hex digits>.", form="token-hash", secret=True)
    roles: tuple[RoleName, ...] = needed("What it may do: viewer, sender, admin.")


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """Who gets in. With any token configured, nobody unknown does."""

    insecure: bool = setting(False, "Listen beyond loopback although nobody has to identify themselves.")
    tokens: tuple[TokenEntry, ...] = setting(
        (), "Known HTTP callers, one [[auth.tokens]] table each; any of them turns authentication on."
    )

    @property
    def on(self) -> bool:
        return bool(self.tokens)


@dataclass(frozen=True, slots=True)
class Config:
    """The effective settings of one archive."""

    data: Path = field(
        default=Path("hilum-data"),
        metadata={"help": "Folder that holds the objects and, unless [index] says otherwise, the index."},
    )
    index: IndexConfig = field(default_factory=IndexConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    dimse: DimseConfig = field(default_factory=DimseConfig)
    web: WebConfig = field(default_factory=WebConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    cold: ColdConfig = field(default_factory=ColdConfig)
    tier: TierConfig = field(default_factory=TierConfig)
    renditions: RenditionsConfig = field(default_factory=RenditionsConfig)
    broker: BrokerConfig = field(default_factory=BrokerConfig)
    ai: AiConfig = field(default_factory=AiConfig)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener there. Names other than localhost can mean
    anything, so they count as reachable."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
