"""Person names (PS3.5 6.2.1): component groups and the folding that matching uses."""

import unicodedata
from typing import NamedTuple


class Groups(NamedTuple):
    """The three component groups of one PN value; absent ones are empty."""

    alphabetic: str
    ideographic: str
    phonetic: str


def split(value: str) -> Groups:
    """`Yamada^Tarou=山田^太郎=やまだ^たろう` -> its groups, trailing empty components removed."""
    parts = [part.strip().rstrip("^") for part in value.split("=")[:3]]
    return Groups(*(parts + [""] * (3 - len(parts))))


def fold(text: str) -> str:
    """Case-, accent- and width-folded form; idempotent.

    Compatibility decomposition folds full-width and half-width forms onto each other; marks
    are dropped only from Latin, Greek and Cyrillic bases, because the marks of other scripts
    (the dakuten of Japanese) tell letters apart. Runs of spaces count as one.
    """
    if text.isascii():
        return " ".join(text.casefold().split())
    kept: list[str] = []
    base_is_european = False
    for char in unicodedata.normalize("NFKD", text):
        if unicodedata.combining(char):
            if not base_is_european:
                kept.append(char)
            continue
        base_is_european = ord(char) < 0x0530 or 0x1E00 <= ord(char) < 0x2000
        kept.append(char)
    folded = unicodedata.normalize("NFKC", "".join(kept)).casefold()
    return " ".join(folded.split())


def folded(value: str) -> Groups:
    return Groups(*(fold(group) for group in split(value)))
