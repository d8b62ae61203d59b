"""As much of YAML as the repository's own files use: block mappings and lists, flow lists, anchors,
merges and plain or quoted text. What it does not know it refuses, so that it never misreads.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

_KEY: Final = re.compile(r"([\w.<-]+):(?: +(.*))?$")
_ANCHOR: Final = re.compile(r"&(\w+)(?: +(.*))?$")
_PLAIN: Final = re.compile(r"[\w./$~-][^#\t]*$")
_SWITCH: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    depth: int
    text: str


@dataclass(slots=True)
class _Reader:
    lines: list[_Line]
    at: int = 0
    anchors: dict[str, Any] = field(default_factory=dict)

    def block(self, depth: int) -> Any:
        """What stands at this depth: a mapping, a list, or nothing."""
        if self.at == len(self.lines) or self.lines[self.at].depth < depth:
            return None
        begin = self.lines[self.at]
        return self._list(begin.depth) if begin.text.startswith("- ") else self._mapping(begin.depth)

    def _mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while (line := self._next(depth)) is not None:
            match = _KEY.match(line.text)
            assert match, f"line {line.number} is not understood: {line.text}"
            key, value = match[1], self._value(match[2] or "", depth)
            if key == "<<":
                merged |= value
            else:
                assert key not in found, f"line {line.number}: {key} stands there twice"
                found[key] = value
        return merged | found

    def _list(self, depth: int) -> list[Any]:
        found = []
        while (line := self._next(depth)) is not None:
            assert line.text.startswith("- "), f"line {line.number} is not an entry of the list"
            inner = line.text[2:]
            if _KEY.match(inner):  # a mapping whose first key stands on the line of the dash
                self.at -= 1
                self.lines[self.at] = _Line(line.number, depth + 2, inner)
                found.append(self._mapping(depth + 2))
            else:
                found.append(_scalar(inner))
        return found

    def _value(self, text: str, depth: int) -> Any:
        if (match := _ANCHOR.match(text)) is not None:
            value = self._value(match[2] or "", depth)
            self.anchors[match[1]] = value
            return value
        if text.startswith("*"):
            return self.anchors[text[1:]]
        return _scalar(text) if text else self.block(depth + 1)

    def _next(self, depth: int) -> _Line | None:
        if self.at == len(self.lines) or self.lines[self.at].depth < depth:
            return None
        line = self.lines[self.at]
        assert line.depth == depth, f"line {line.number} stands too deep"
        self.at += 1
        return line


def load(text: str) -> Any:
    return _Reader(list(_lines(text))).block(0)


def _lines(text: str) -> Iterator[_Line]:
    for number, raw in enumerate(text.splitlines(), 1):
        assert "\t" not in raw, f"line {number} has a tab"
        stripped = raw.strip()
        if stripped and not stripped.startswith("#"):
            yield _Line(number, len(raw) - len(raw.lstrip()), stripped)


def _scalar(text: str) -> Any:
    if text[0] in '["':
        return json.loads(text)  # flow lists of double-quoted text are JSON
    if text in _SWITCH:
        return _SWITCH[text]
    assert _PLAIN.match(text), f"not understood: {text}"
    assert ": " not in text, f"not understood: {text}"
    return int(text) if text.isdecimal() else text
