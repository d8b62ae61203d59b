"""What a plugin model is given to look at. It knows nobody's name.

A plugin is a function of a `Study` that returns an `ai_routing.model.Answer`:

    def read(study: Study) -> Answer:
        for picture in study.pictures(rows=512, columns=512):
            ...
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ai_routing.host.wire import Wire
from ai_routing.model import Reference


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One frame; `pixels` is (rows, columns), float32. `frame` counts from 1, `frames` is how many
    the instance has. `inverted` is MONOCHROME1: great values are dark."""

    series: str
    instance: str
    frame: int
    frames: int
    modality: str
    body_part: str
    view: str
    age: str
    sex: str
    inverted: bool
    pixels: NDArray[np.float32]

    def reference(self) -> Reference:
        """This frame, as the place of a finding."""
        return Reference(self.series, self.instance, (self.frame,) if self.frames > 1 else ())


class Study(Protocol):
    """Frames come one at a time, in stable order; what cannot be decoded is left out."""

    @property
    def uid(self) -> str: ...

    def frames(self) -> Iterator[Picture]:
        """In full size, as numbers that mean something: Hounsfield units, SUV, ... (PS3.3 C.11.1)."""
        ...

    def pictures(self, rows: int, columns: int) -> Iterator[Picture]:
        """In one size, 0 to 1, never inverted, as `ai_routing.pictures.prepare` makes them. Much
        cheaper than frames, the more so where a small resolution is stored."""
        ...


class AskedStudy:
    """A study whose pictures the worker sends when they are asked for."""

    def __init__(self, uid: str, wire: Wire) -> None:
        self.uid = uid
        self._wire = wire
        self._round = 0

    def frames(self) -> Iterator[Picture]:
        return self._asked(0, 0)

    def pictures(self, rows: int, columns: int) -> Iterator[Picture]:
        if rows < 1 or columns < 1:
            raise ValueError("a picture has at least one row and one column")
        return self._asked(rows, columns)

    def _asked(self, rows: int, columns: int) -> Iterator[Picture]:
        self._round += 1
        mine = self._round
        self._wire.send({"say": "begin", "rows": rows, "columns": columns})
        while True:
            if self._round != mine:
                raise RuntimeError("a study is looked through once at a time")
            self._wire.send({"say": "next"})
            message, pixels = self._wire.receive()
            if message.get("end"):
                return
            yield _picture(message["picture"], pixels)


def _picture(about: Mapping[str, Any], pixels: bytearray) -> Picture:
    """`shape` of the pixels, and every other field of a Picture."""
    fields = {name: value for name, value in about.items() if name != "shape"}
    return Picture(**fields, pixels=np.frombuffer(pixels, "<f4").reshape(about["shape"]))
