"""What big endian reverses of a value, and back (PS3.5 7.3)."""

from array import array
from typing import Final

_WORDS: Final = (
    dict.fromkeys(("US", "SS", "OW", "AT"), 2)
    | dict.fromkeys(("UL", "SL", "FL", "OF", "OL"), 4)
    | dict.fromkeys(("FD", "OD", "SV", "UV", "OV"), 8)
)
_CODES: Final = {2: "H", 4: "I", 8: "Q"}


def word_of(vr: str) -> int:
    """Bytes in the unit of a value that are reversed; 1 where none are."""
    return _WORDS.get(vr, 1)


def swap(data: bytes, word: int) -> bytes:
    """The bytes of every `word` (1, 2, 4 or 8 bytes) reversed; an incomplete last word is left as it is."""
    if word == 1:
        return data
    whole = len(data) - len(data) % word
    words = array(_CODES[word], data[:whole])
    words.byteswap()
    return words.tobytes() + data[whole:]
