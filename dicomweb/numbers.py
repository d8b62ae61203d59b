"""Whole numbers in addresses and queries, none larger than the index can hold."""

from typing import Final

from pacs.errors import Invalid

MOST: Final = 2**63 - 1
FURTHEST: Final = 10**9
"""Of offsets: what is counted to has to be counted."""
_DIGITS: Final = 19


def whole(text: str, name: str, least: int = 0, most: int = MOST) -> int:
    """Raises Invalid."""
    digits = text.strip()
    right = digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS
    if not right or not least <= int(digits) <= most:
        upper = "" if most == MOST else f" to {most}"
        raise Invalid(f"{name} expects a whole number from {least}{upper}")
    return int(digits)
