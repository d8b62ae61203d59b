"""How a setting is declared: its default, its meaning, its bounds."""

from dataclasses import field
from typing import Any


def setting(default: Any, text: str, **marks: Any) -> Any:
    """A field with its help text. Marks: `low`, `high` (bounds of a number), `form` (the name of
    a further check in `pacs.config.read`), `secret` (never shown)."""
    return field(default=default, metadata={"help": text, **marks})


def needed(text: str, **marks: Any) -> Any:
    """A field without a default: its table is refused without it."""
    return field(metadata={"help": text, **marks})
