"""What names sound like: the keys of fuzzy matching (PS3.4 C.2.2.2.1.1 and PS3.18 8.3.4.2 leave the
algorithm to the archive).

A name is taken apart into words: the components of all its groups, at spaces and hyphens. A word in
Latin letters becomes its consonants, those that are heard or typed for each other as one letter, after
the spellings that many languages share (`ph` as `f`, `sch` as `s`, `ck` as `k`); the vowel it begins
with is `A`, all others go. Words of fewer than two such sounds and words in other scripts stand for
themselves, katakana for hiragana. So Meyer, Maier and Mayr are one (`MR`), as are Schmidt, Schmitt and
Smith (`SMT`), Müller, Mueller and Miller (`MLR`), Katharina and Catherine (`KTRN`).
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from pacs.dicom import names

_APART: Final = re.compile(r"[\s^=\\,.;'\u2019`\u00b4*?_-]+")
_FEWEST: Final = 2
_UNDECOMPOSED: Final = str.maketrans(
    {"ø": "o", "æ": "e", "œ": "e", "ł": "l", "đ": "d", "ð": "d", "þ": "t", "\u0131": "i", "ß": "ss"}
)
_HIRAGANA: Final = {code: code + 0x60 for code in range(0x3041, 0x3097)}
_SPELLINGS: Final = tuple(
    (re.compile(pattern), spoken)
    for pattern, spoken in (
        (r"^[kgp]n", "n"),
        (r"^wr", "r"),
        (r"^wh", "w"),
        (r"^(ps|x)", "s"),
        (r"^gh", "g"),
        (r"t?sch|sh", "s"),
        (r"t?ch|ck|qu|q", "k"),
        (r"ph", "f"),
        (r"d?th|dt", "t"),
        (r"gh", ""),
        (r"t[sz]", "s"),
        (r"c(?=[eiy])", "s"),
        (r"x", "ks"),
        (r"w(?![aeiouy])", ""),
        (r"^[jy]", "J"),
        (r"^h", "H"),
        (r"^[aeiou]", "A"),
    )
)
_HEARD: Final = str.maketrans(
    {
        **dict.fromkeys("bp", "P"),
        **dict.fromkeys("fvw", "F"),
        **dict.fromkeys("dt", "T"),
        **dict.fromkeys("ckgq", "K"),
        **dict.fromkeys("sz", "S"),
        **dict.fromkeys("aeiouyjh", "-"),
        **{letter: letter.upper() for letter in "lmnr"},
    }
)
_AGAIN: Final = re.compile(r"(.)\1+")


def words(text: str) -> tuple[str, ...]:
    """The folded words of a name, or of several."""
    return tuple(word for word in _APART.split(names.fold(text)) if word)


def of(text: str) -> tuple[str, ...]:
    """The sounds of a name, each once, in the order of its words."""
    return tuple(dict.fromkeys(_sound(word) for word in words(text)))


def of_all(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(sound for text in texts for sound in of(text))


@lru_cache(maxsize=4096)
def _sound(word: str) -> str:
    latin = word.translate(_UNDECOMPOSED)
    if not (latin.isascii() and latin.isalpha()):
        return word.translate(_HIRAGANA)
    heard = latin
    for pattern, spoken in _SPELLINGS:
        heard = pattern.sub(spoken, heard)
    heard = _AGAIN.sub(r"\1", heard.translate(_HEARD)).replace("-", "")
    return heard if len(heard) >= _FEWEST else latin
