"""What the data set says about one frame's samples (PS3.3 C.7.6.3)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from pacs.dicom import header
from pacs.dicom.attributes import tag_of
from pacs.dicom.header import Walk

MONOCHROME = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})
SUBSAMPLED = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420"})
"""Stored native these have fewer chroma samples than pixels (PS3.3 C.7.6.3.1.2)."""


@dataclass(frozen=True, slots=True)
class FrameShape:
    """A frame of `rows` x `columns` pixels of `samples` cells, each `bits_allocated` wide.

    The sample is the `bits_stored` bits of the cell that end at `high_bit`; what lies above (an
    overlay in old objects, or sign bits) belongs to the cell and is kept. `planar` is Planar
    Configuration: 0 colour by pixel, 1 colour by plane.
    """

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    planar: int
    photometric: str

    @classmethod
    def of(cls, walk: Walk) -> Self:
        """As the top level of the data set has it; what is absent gets the value it mostly has."""
        element = walk.dataset.elements.get(tag_of("PhotometricInterpretation"))
        return cls._made(
            lambda keyword, default: header.integer(walk, tag_of(keyword), default),
            header.ascii_value(walk.buffer, element),
        )

    @classmethod
    def of_json(cls, item: Mapping[str, Any]) -> Self:
        """The same from the object's DICOM JSON (PS3.18 Annex F)."""

        def first(keyword: str) -> Any:
            return next(iter(item.get(f"{tag_of(keyword):08X}", {}).get("Value") or ()), None)

        def number(keyword: str, default: int) -> int:
            value = first(keyword)
            return value if isinstance(value, int) else default

        photometric = first("PhotometricInterpretation")
        return cls._made(number, photometric if isinstance(photometric, str) else "")

    @classmethod
    def _made(cls, number: Callable[[str, int], int], photometric: str) -> Self:
        allocated = number("BitsAllocated", 0)
        stored = number("BitsStored", allocated)
        return cls(
            rows=number("Rows", 0),
            columns=number("Columns", 0),
            samples=number("SamplesPerPixel", 1),
            bits_allocated=allocated,
            bits_stored=stored,
            high_bit=number("HighBit", stored - 1),
            signed=number("PixelRepresentation", 0) == 1,
            planar=number("PlanarConfiguration", 0),
            photometric=photometric,
        )

    @property
    def cells(self) -> int:
        return self.rows * self.columns * self.samples

    @property
    def bytes(self) -> int:
        """Bytes of a native frame with every sample of every pixel, without padding."""
        return (self.cells * self.bits_allocated + 7) // 8
