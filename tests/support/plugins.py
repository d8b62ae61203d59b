"""Plugin models written for a test, and studies for them to look at."""

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ai_routing.host.process import Plugin, Shown

MEMORY = 512 << 20
PATIENT = "Doe^Jane"

HEAD = """
from ai_routing.host.study import Study
from ai_routing.model import Answer, FindingSaid, Severity
import numpy as np

NOTHING = Answer("1", ())

def said(text: str) -> Answer:
    return Answer("1", (FindingSaid("seen", Severity.MILD, np.float32(0.5), text=text),))
"""


def write(folder: Path, body: str, name: str = "model.py") -> Path:
    """A plugin's file: what every plugin of the tests begins with, and `body`."""
    file = folder / name
    file.write_text(HEAD + textwrap.dedent(body))
    return file


def plugin(path: Path | str, kind: str = "python", *, seconds: float = 60.0, memory: int = MEMORY) -> Plugin:
    return Plugin(kind, str(path), memory, seconds, seconds)


def about(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "series": "1.2.1", "instance": f"1.2.1.{number}", "frame": 1, "frames": 1, "modality": "DX",
        "body_part": "CHEST", "view": "PA", "age": "050Y", "sex": "F", "inverted": False, **more,
    }  # fmt: skip


def showing(*pictures: "np.ndarray[Any, np.dtype[np.float32]]") -> Callable[[int, int], Iterator[Shown]]:
    """A study of these pictures, whatever size is asked for."""

    def show(rows: int, columns: int) -> Iterator[Shown]:
        for number, picture in enumerate(pictures, 1):
            yield about(number), picture

    return show
