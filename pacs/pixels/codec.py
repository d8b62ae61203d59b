"""What a codec is to this archive, whichever library does the work."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Protocol

from pacs.errors import NotAcceptable
from pacs.pixels.codestream import Stream
from pacs.pixels.samples import Cells
from pacs.pixels.shape import FrameShape

# What the libraries raise for a frame they cannot read. Anything else is a defect and goes up.
LIBRARY_ERRORS = (RuntimeError, ValueError, LookupError, TypeError, ArithmeticError, MemoryError, EOFError)
# A library written in Rust that runs into its own bounds check; no subclass of Exception.
_PANIC = "PanicException"


class Codec(Protocol):
    """One library's way with one kind of frame. Stateless and thread-safe.

    `engine` names the code that does the work: two codecs are independent of each other when their
    engines differ, whatever package they come in.
    """

    engine: str
    package: str
    decodes: frozenset[str]
    encodes: frozenset[str]

    def missing(self) -> tuple[str, ...]:
        """Packages that would have to be installed; empty when it works."""

    def decode(self, data: bytes, stream: Stream | None, shape: FrameShape) -> Cells:
        """Samples as the library delivers them, colour by pixel; `stream` is None for RLE.

        Raises NotAcceptable when the library cannot read the frame."""

    def encode(self, cells: Cells, shape: FrameShape, syntax: str) -> bytes:
        """A code stream that holds every bit of every cell. Raises NotAcceptable where it cannot."""


def available(codec: Codec) -> bool:
    return not codec.missing()


def absent(*modules: str) -> tuple[str, ...]:
    """Those of `modules` that cannot be imported."""
    return tuple(module for module in modules if importlib.util.find_spec(module) is None)


def version(codec: Codec) -> str:
    """Of the package; empty when it is not installed."""
    try:
        return metadata.version(codec.package)
    except metadata.PackageNotFoundError:
        return ""


@contextmanager
def refusing(codec: Codec, deed: str) -> Iterator[None]:
    """Turns what a library raises into NotAcceptable."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, LIBRARY_ERRORS) and type(error).__name__ != _PANIC:
            raise
        raise NotAcceptable(f"{codec.engine} cannot {deed} this frame") from error


def refuse_encoding(codec: Codec) -> NotAcceptable:
    return NotAcceptable(f"{codec.engine} is used for decoding only")
