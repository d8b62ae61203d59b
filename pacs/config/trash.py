"""Settings of the trash."""

from dataclasses import dataclass

from pacs.config.fields import setting


@dataclass(frozen=True, slots=True)
class TrashConfig:
    """What becomes of what was deleted."""

    keep_days: float = setting(
        30.0,
        "Days that what was deleted can be restored; then its bytes go for good, unless its study is held "
        "(`pacs tier hold`). 0 keeps it until `pacs trash purge`.",
        low=0.0,
        high=1e5,
    )
    every_seconds: float = setting(
        300.0, "Seconds between two looks at what is to be purged.", low=1.0, high=86_400.0
    )
