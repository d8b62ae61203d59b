"""One attribute put into a data set that is text already (PS3.18 F.2): it is not parsed for that."""

import re
from typing import Final

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}]')
_OPEN, _CLOSE = ord("{"), ord("}")


def spliced(document: bytes, tag: int, element: bytes) -> bytes:
    """The document with `element` as the attribute `tag`, in its place among the others, which stand
    in ascending order (F.2.2); what stood there under the tag is gone."""
    wanted = b'"%08X"' % tag
    depth, begin = 0, -1
    for token in _TOKEN.finditer(document):
        first = document[token.start()]
        if first == _OPEN:
            depth += 1
        elif first == _CLOSE:
            depth -= 1
            if depth == 0:
                return _joined(document, wanted, element, begin, token.start())
        elif depth == 1:  # at the top every text that is no attribute's stands inside its braces
            if token[0] > wanted:
                return _joined(document, wanted, element, begin, token.start())
            if token[0] == wanted:
                begin = token.start()
    raise ValueError("this is no object of the DICOM JSON Model")


def _joined(document: bytes, key: bytes, element: bytes, begin: int, end: int) -> bytes:
    """`begin` is where the former attribute began, or -1; `end` the next key or the last brace."""
    before, after = document[: end if begin < 0 else begin].rstrip(), document[end:]
    head = b"" if before.endswith((b"{", b",")) else b","
    tail = b"," if after.startswith(b'"') else b""
    return b"".join((before, head, key, b":", element, tail, after))
