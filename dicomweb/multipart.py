"""multipart/related as a parser without a socket and a writer of fixed envelopes (RFC 2046 5.1, RFC 2387).

The parser takes bytes and gives events; memory is bounded by the size of one fed chunk plus one
header block. The writer's envelope depends on its arguments only, so that a range of the same
resource is the same bytes at every request.
"""

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from dicomweb import ranges
from dicomweb.ranges import Span
from pacs.errors import Invalid

MAX_HEADER_BYTES = 16384
_MAX_PADDING = 128
_MAX_BOUNDARY = 200  # RFC 2046 says 70; longer ones occur


@dataclass(frozen=True, slots=True)
class PartBegin:
    """`headers` by lower-case name."""

    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class PartData:
    data: memoryview


@dataclass(frozen=True, slots=True)
class PartEnd:
    pass


@dataclass(frozen=True, slots=True)
class End:
    """The close delimiter; whatever follows is ignored."""


Event = PartBegin | PartData | PartEnd | End


class _State(Enum):
    PREAMBLE = auto()
    HEADERS = auto()
    BODY = auto()
    EPILOGUE = auto()


class _Follow(Enum):
    """What stands behind a delimiter."""

    PART = auto()
    CLOSE = auto()
    LINE_FEED = auto()
    NOTHING = auto()  # not a delimiter after all
    MORE = auto()


class Parser:
    """Feed bytes, iterate the events, then `close`. Raises Invalid for what is no multipart."""

    def __init__(self, boundary: str) -> None:
        if not 0 < len(boundary) <= _MAX_BOUNDARY or not boundary.isascii():
            raise Invalid("the multipart boundary is missing or malformed")
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._state = _State.PREAMBLE
        self._buffer = b"\r\n"  # so that the first delimiter may be the body's first line
        self._lead = 0  # bytes at the start of the buffer that a delimiter may use but that are no payload
        self._scan = 0  # where to look for the next delimiter

    def feed(self, data: bytes) -> Iterator[Event]:
        """Events as far as the bytes go. Iterate to the end before feeding again."""
        if self._state is _State.EPILOGUE:
            return
        self._buffer += data
        more = True
        while more:
            more = yield from self._headers() if self._state is _State.HEADERS else self._seek()

    def close(self) -> tuple[Event, ...]:
        """Say that the bytes are over. Raises Invalid when the close delimiter was never seen."""
        if self._state is _State.PREAMBLE:
            raise Invalid("the multipart body does not contain its boundary")
        if self._state is not _State.EPILOGUE:
            raise Invalid("the multipart body is cut off", hint="its last line must be --boundary--")
        return ()

    def _seek(self) -> Generator[Event, None, bool]:
        """To the next delimiter; what lies before it is payload, or preamble."""
        start = self._buffer.find(self._delimiter, self._scan)
        if start < 0:
            yield from self._pass(len(self._buffer) - len(self._delimiter) + 1)
            return False
        follow, position = self._follow(start + len(self._delimiter))
        if follow is _Follow.MORE:
            yield from self._pass(start)
            return False
        if follow is _Follow.LINE_FEED and self._state is _State.PREAMBLE:
            raise Invalid("lines of a multipart body must end with CRLF")
        if follow in (_Follow.NOTHING, _Follow.LINE_FEED):
            self._scan = start + 1
            return True
        rest = self._buffer[position:]
        yield from self._pass(start)
        self._buffer, self._scan = rest, 0
        yield from self._leave(follow)
        return follow is _Follow.PART

    def _leave(self, follow: _Follow) -> Iterator[Event]:
        if self._state is _State.BODY:
            yield PartEnd()
        if follow is _Follow.CLOSE:
            self._state, self._buffer = _State.EPILOGUE, b""
            yield End()
        else:
            self._state = _State.HEADERS

    def _pass(self, end: int) -> Iterator[Event]:
        """Give (payload) or forget (preamble) the buffer up to `end`."""
        if end <= self._lead:
            return
        view = memoryview(self._buffer)[self._lead : end]
        self._buffer = self._buffer[end:]
        self._lead = self._scan = 0
        if self._state is _State.BODY:
            yield PartData(view)

    def _follow(self, after: int) -> tuple[_Follow, int]:
        """What stands behind a delimiter that ends at `after`, and where the next state begins: a
        part at the CRLF that ends the delimiter line."""
        rest = self._buffer[after : after + _MAX_PADDING]
        if rest[:2] == b"--":
            return _Follow.CLOSE, after + 2
        if rest == b"-":
            return _Follow.MORE, after
        padding = len(rest) - len(rest.lstrip(b" \t"))
        line_end = rest[padding : padding + 2]
        if line_end == b"\r\n":
            return _Follow.PART, after + padding
        if line_end[:1] == b"\n":
            return _Follow.LINE_FEED, after
        if line_end in (b"", b"\r") and len(rest) < _MAX_PADDING:
            return _Follow.MORE, after
        return _Follow.NOTHING, after

    def _headers(self) -> Generator[Event, None, bool]:
        """From the CRLF of the delimiter line to the empty line; a part without headers has only that."""
        end = self._buffer.find(b"\r\n\r\n")
        if end > MAX_HEADER_BYTES or (end < 0 and len(self._buffer) > MAX_HEADER_BYTES + 3):
            raise Invalid("the headers of a multipart part are too long")
        if end < 0:
            return False
        headers = _fields(self._buffer[2:end])
        # The empty line's CRLF may itself begin the delimiter that ends an empty part.
        self._buffer = self._buffer[end + 2 :]
        self._lead, self._scan = 2, 0
        self._state = _State.BODY
        yield PartBegin(headers)
        return True


class Whole:
    """A body that is one part by itself: the events of a multipart with a single part."""

    def __init__(self) -> None:
        self._begun = False

    def feed(self, data: bytes) -> Iterator[Event]:
        if not self._begun:
            self._begun = True
            yield PartBegin({})
        if data:
            yield PartData(memoryview(data))

    def close(self) -> Iterator[Event]:
        if self._begun:
            yield PartEnd()
        yield End()


def _fields(block: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    last = ""
    for line in block.decode("latin-1").split("\r\n") if block else []:
        if "\n" in line or "\r" in line:
            raise Invalid("lines of a multipart body must end with CRLF")
        if line[:1] in (" ", "\t") and last:  # folded, RFC 5322 2.2.3
            fields[last] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise Invalid("a header of a multipart part is malformed")
        last = name.strip().lower()
        fields[last] = value.strip()
    return fields


Cut = Callable[[int, int], Iterator[bytes]]  # (offset, length) -> bytes


@dataclass(frozen=True, slots=True)
class Part:
    """One part to be written. `open` gives its bytes, exactly `length` of them, when its turn comes;
    `length` is None where only they tell. With `cut` some of them can be had without the others."""

    content_type: str
    length: int | None
    open: Callable[[], Iterator[bytes]]
    more_headers: tuple[tuple[str, str], ...] = ()
    cut: Cut | None = None

    def head(self, boundary: str) -> bytes:
        # Clients compare the spelling `Content-Type:` and look for it in the first bytes only.
        fields = (("Content-Type", self.content_type), *self.more_headers)
        lines = [f"--{boundary}", *(f"{name}: {value}" for name, value in fields)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def boundary_of(*identity: str) -> str:
    """A boundary that is the same for the same resource. Among `identity` there must be a digest of
    the content, so that no content can be made to contain its own boundary."""
    return hashlib.sha256("\0".join(identity).encode()).hexdigest()[:48]


def length_of(parts: Iterable[Part], boundary: str) -> int | None:
    """Size of what `write` gives; None when a part does not know its own."""
    total = len(_close(boundary))
    for part in parts:
        if part.length is None:
            return None
        total += len(part.head(boundary)) + part.length + 2
    return total


def write(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    """The body, piece by piece: no preamble, CRLF before each further delimiter."""
    for part in parts:
        yield part.head(boundary)
        yield from part.open()
        yield b"\r\n"
    yield _close(boundary)


def write_span(parts: Iterable[Part], boundary: str, start: int, stop: int) -> Iterator[bytes]:
    """Bytes `start` to `stop` of what `write` gives. Of parts that can be cut, only these are read; all
    must know their length."""
    position = 0
    for cut, length in _segments(parts, boundary):
        first, last = max(start - position, 0), min(stop - position, length)
        if first < last:
            yield from cut(first, last - first)
        position += length
        if position >= stop:
            return


def _segments(parts: Iterable[Part], boundary: str) -> Iterator[tuple[Cut, int]]:
    for part in parts:
        yield _constant(part.head(boundary))
        yield part.cut or partial(_skipping, part), part.length or 0
        yield _constant(b"\r\n")
    yield _constant(_close(boundary))


def _constant(data: bytes) -> tuple[Cut, int]:
    return lambda offset, length: iter((data[offset : offset + length],)), len(data)


def _skipping(part: Part, offset: int, length: int) -> Iterator[bytes]:
    """Of a part that can only be read from its beginning."""
    return ranges.cut(part.open(), Span(offset, offset + length))


def _close(boundary: str) -> bytes:
    return f"--{boundary}--\r\n".encode("latin-1")
