"""Settings of the cold tier, and the rules that decide what lies there."""

from dataclasses import dataclass
from typing import Literal

from pacs.config.fields import needed, setting


@dataclass(frozen=True, slots=True)
class ColdConfig:
    """The cold tier; without a bucket there is none."""

    endpoint_url: str = setting(
        "",
        "Address of an S3-compatible server, e.g. https://s3.example.org. Empty: Amazon's own. "
        "file:///folder keeps the cold tier on a mounted share, without a bucket.",
    )
    bucket: str = setting("", "The bucket; it has to be there.")
    region: str = setting("", "Its region; empty: as boto3 finds it, us-east-1 at last.")
    access_key: str = setting(
        "", "Who we are to the bucket; empty: as boto3 finds it (environment, profile, role).", secret=True
    )
    secret_key: str = setting("", "The secret that belongs to access_key.", secret=True)
    prefix: str = setting("", "Stands before every key in the bucket, e.g. hilum.")
    cache_bytes: int = setting(
        10 << 30,
        "Bytes of cold objects kept on the local disk after they were read; 0 keeps none.",
        low=0,
        high=1 << 60,
    )
    grace_seconds: float = setting(
        86_400.0,
        "Seconds a copy on the cold tier must have been verified before the hot one may go.",
        low=0.0,
        high=31_536_000.0,
    )

    @property
    def on(self) -> bool:
        return bool(self.bucket) or self.endpoint_url.startswith("file://")


@dataclass(frozen=True, slots=True)
class TierRule:
    """One line of policy: a study that meets every condition belongs on `tier`. The first rule that
    applies decides. A condition that is not set is met by every study."""

    name: str = needed("What to call it when it is given as the reason.", form="name")
    tier: Literal["hot", "cold"] = setting("cold", "Where studies that it applies to belong.")
    modalities: tuple[str, ...] = setting(
        (), "Applies to studies all of whose series are of these modalities, e.g. CT, MR."
    )
    older_than_days: float = setting(
        0.0, "Applies when the study's date, or its arrival if it has none, is longer ago.", low=0.0, high=1e5
    )
    received_days_ago: float = setting(
        0.0, "Applies when its first object arrived longer ago.", low=0.0, high=1e5
    )
    unread_for_days: float = setting(
        0.0, "Applies when nobody has read it for longer; its arrival counts as read.", low=0.0, high=1e5
    )
    hot_above_bytes: int = setting(
        0,
        "Applies only while the hot tier holds more than this: the studies read longest ago go first, "
        "until it no longer does.",
        low=0,
        high=1 << 62,
    )


@dataclass(frozen=True, slots=True)
class TierConfig:
    """The rules, and what holds whatever they say."""

    rules: tuple[TierRule, ...] = setting(
        (), "Which studies belong where, one [[tier.rules]] table each; the first that applies decides."
    )
    keep_read_seconds: float = setting(
        86_400.0,
        "A study read within this time belongs on the hot tier, and is brought back to it.",
        low=0.0,
        high=31_536_000.0,
    )
    every_seconds: float = setting(300.0, "Seconds between two looks at all studies.", low=1.0, high=86_400.0)
