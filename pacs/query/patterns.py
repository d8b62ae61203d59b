"""Wild cards (PS3.4 C.2.2.2.4): `*` any run of characters, `?` any one; everything else literal."""

_ESCAPED = str.maketrans({"%": "\\%", "_": "\\_", "\\": "\\\\", "*": "%", "?": "_"})
_LAST = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def is_wild(text: str) -> bool:
    return "*" in text or "?" in text


def is_universal(text: str) -> bool:
    """Nothing, or nothing but `*`: matches everything, absent values too (C.2.2.2.3)."""
    return not text.strip("*")


def like(pattern: str) -> str:
    r"""The pattern for `LIKE ... ESCAPE '\'`."""
    return pattern.translate(_ESCAPED)


def literal(text: str) -> str:
    r"""`text` itself for `LIKE ... ESCAPE '\'`, stars and question marks included."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def prefix(pattern: str) -> str:
    """What every match begins with."""
    ends = [at for at in (pattern.find("*"), pattern.find("?")) if at >= 0]
    return pattern[: min(ends)] if ends else pattern


def successor(text: str) -> str:
    """The least text greater than everything that begins with `text`; empty when there is none."""
    while text:
        code = ord(text[-1]) + 1
        if code in _SURROGATES:
            code = _SURROGATES.stop
        text = text[:-1]
        if code <= _LAST:
            return text + chr(code)
    return ""


def crosses_values(pattern: str) -> bool:
    r"""Whether, tried on values joined by `\`, the pattern could match across two of them."""
    return "*" in pattern.strip("*") or "?" in pattern


def fits(pattern: str, text: str) -> bool:
    """Whether the whole text matches; at worst len(pattern) * len(text) steps."""
    at = star = 0
    retry = -1
    position = 0
    while position < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, retry = position, at
            at += 1
        elif at < len(pattern) and pattern[at] in {"?", text[position]}:
            at += 1
            position += 1
        elif retry >= 0:
            star += 1
            position, at = star, retry + 1
        else:
            return False
    return not pattern[at:].strip("*")
