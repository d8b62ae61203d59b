"""Settings: one table of them, pure functions around it. Nothing here reads a file, the
environment or the command line; `pacs.cli` does and hands over what it read."""

from pacs.config.ai import AiConfig, AiModel, AiRule
from pacs.config.effective import check_exposure, from_json, from_tree, load, masked, to_json, to_tree
from pacs.config.peers import RIGHTS, ROLES, Peer
from pacs.config.sections import (
    AuthConfig,
    BrokerConfig,
    Config,
    DimseConfig,
    IndexConfig,
    ReadingConfig,
    RenditionsConfig,
    StoreConfig,
    TokenEntry,
    WebConfig,
    is_loopback,
)
from pacs.config.table import FILE_VARIABLE, Setting, settings
from pacs.config.tiers import ColdConfig, TierConfig, TierRule
from pacs.config.tls import TlsConfig

__all__ = [
    "FILE_VARIABLE",
    "RIGHTS",
    "ROLES",
    "AiConfig",
    "AiModel",
    "AiRule",
    "AuthConfig",
    "BrokerConfig",
    "ColdConfig",
    "Config",
    "DimseConfig",
    "IndexConfig",
    "Peer",
    "ReadingConfig",
    "RenditionsConfig",
    "Setting",
    "StoreConfig",
    "TierConfig",
    "TierRule",
    "TlsConfig",
    "TokenEntry",
    "WebConfig",
    "check_exposure",
    "from_json",
    "from_tree",
    "is_loopback",
    "load",
    "masked",
    "settings",
    "to_json",
    "to_tree",
]
