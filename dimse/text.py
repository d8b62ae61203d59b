"""Text on its way out: in the requestor's character set when it holds it, else in UTF-8."""

import re
from dataclasses import dataclass
from typing import Final

from pydicom.charset import encode_string

from pacs.dicom import charsets

UTF8: Final = "ISO_IR 192"
_RESETS: Final = re.compile(r"([\\^=\r\n\f\t])")  # where code extensions end (PS3.5 6.1.2.5.3)


@dataclass(frozen=True, slots=True)
class Repertoire:
    """A Specific Character Set to write in: its terms and their Python codecs."""

    terms: tuple[str, ...]
    codecs: tuple[str, ...]

    def encode(self, text: str, vr: str) -> bytes:
        """Raises UnicodeEncodeError for what this character set does not hold."""
        if text.isascii():
            return text.encode("ascii")
        if len(self.codecs) == 1 and self.codecs[0] != "shift_jis":
            return text.encode(self.codecs[0])
        raw = b"".join(self._part(part) for part in _RESETS.split(text))
        if charsets.decode(raw, self.codecs, vr) != text:
            raise UnicodeEncodeError(
                self.codecs[0], text, 0, len(text), "does not survive the way there and back"
            )
        return raw

    def _part(self, part: str) -> bytes:
        if part.isascii():
            return part.encode("ascii")
        for char in part:
            if not any(_holds(codec, char) for codec in self.codecs):
                raise UnicodeEncodeError(self.codecs[0], part, 0, len(part), "not in the character set")
        return encode_string(part, list(self.codecs))


UNICODE: Final = Repertoire((UTF8,), ("utf-8",))


def repertoire(terms: tuple[str, ...]) -> Repertoire:
    """The one that a request is written in; UTF-8 when it does not say."""
    codecs = charsets.encodings(terms) if any(terms) else ()
    return Repertoire(terms, codecs) if codecs and codecs != charsets.DEFAULT else UNICODE


def _holds(codec: str, char: str) -> bool:
    try:
        raw = char.encode(codec)
    except UnicodeEncodeError:
        return False
    return codec != "shift_jis" or len(raw) == 1  # ISO_IR 13 has no kanji; the Python codec does
