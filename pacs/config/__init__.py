"""Settings: one table of them, pure functions around it. Nothing here reads a file, the
environment or the command line; `pacs.cli` does and hands over what it read."""

from pacs.config.ai import AiConfig, AiModel, AiRule
from pacs.config.effective import check_exposure, load, masked
from pacs.config.peers import RIGHTS, ROLES, Peer
from pacs.config.sections import (
    AuthConfig,
    BrokerConfig,
    ChangesConfig,
    Config,
    DimseConfig,
    IndexConfig,
    OrdersConfig,
    ReadingConfig,
    RenditionsConfig,
    StoreConfig,
    TokenEntry,
    WebConfig,
    WorkitemsConfig,
    is_loopback,
)
from pacs.config.table import FILE_VARIABLE, Setting, settings
from pacs.config.tiers import ColdConfig, TierConfig, TierRule
from pacs.config.tls import TlsConfig
from pacs.config.trash import TrashConfig

__all__ = [
    "FILE_VARIABLE",
    "RIGHTS",
    "ROLES",
    "AiConfig",
    "AiModel",
    "AiRule",
    "AuthConfig",
    "BrokerConfig",
    "ChangesConfig",
    "ColdConfig",
    "Config",
    "DimseConfig",
    "IndexConfig",
    "OrdersConfig",
    "Peer",
    "ReadingConfig",
    "RenditionsConfig",
    "Setting",
    "StoreConfig",
    "TierConfig",
    "TierRule",
    "TlsConfig",
    "TokenEntry",
    "TrashConfig",
    "WebConfig",
    "WorkitemsConfig",
    "check_exposure",
    "is_loopback",
    "load",
    "masked",
    "settings",
]
