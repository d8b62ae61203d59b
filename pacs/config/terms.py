"""The standard's own terms as values of settings: transfer syntaxes (PS3.6 A) and character sets
(PS3.3 C.12.1.1.2)."""

from functools import cache
from typing import Final

_NOT_DEFINED: Final = ("ISO 2022 58", "ISO 2022 GBK")  # misspellings that pydicom reads
_LATIN9: Final = ("ISO_IR 203", "ISO 2022 IR 203")  # which pydicom does not know by itself


@cache
def transfer_syntaxes() -> dict[str, str]:
    """UID by UID and by keyword."""
    from pydicom._uid_dict import UID_dictionary

    known = {uid: entry for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}
    return {uid: uid for uid in known} | {entry[4]: uid for uid, entry in known.items() if entry[4]}


@cache
def character_sets() -> frozenset[str]:
    from pydicom.charset import python_encoding

    return frozenset(python_encoding) - {"", *_NOT_DEFINED} | {*_LATIN9}


def unknown_character_sets(text: str) -> list[str]:
    r"""Of terms joined by `\`, those that are none. The first may be empty, where it means ISO_IR 6."""
    first, *others = text.split("\\")
    terms = [*([first] if first or not others else []), *others]
    return [term for term in terms if term not in character_sets()]
