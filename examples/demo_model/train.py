"""Trains the demonstration network on drawings and writes it as ONNX. NOT FOR CLINICAL USE.

python -m examples.demo_model.train demo.onnx
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from ai_routing.pictures import prepare
from examples.demo_model import onnx_file
from examples.demo_model.drawing import FINDINGS, draw
from examples.demo_model.network import SIZE, Array, Trained, features, train

_DRAWN: Final = 96  # pixels a side, before they are made SIZE
_HELD_OUT_SEED: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Examples:
    """`pictures` (count, SIZE, SIZE) and the `truth` about them (count, findings), 0 or 1."""

    pictures: Array
    truth: Array

    @classmethod
    def drawn(cls, count: int, seed: int) -> Self:
        """A quarter shows each finding, half shows none. Never two pictures from the same numbers."""
        kinds = ("", FINDINGS[0], "", FINDINGS[1])
        shown = [kinds[number % len(kinds)] for number in range(count)]
        pictures = [
            prepare(draw(np.random.default_rng([seed, number]), finding, _DRAWN), SIZE, SIZE)
            for number, finding in enumerate(shown)
        ]
        truth = [[finding == one for one in FINDINGS] for finding in shown]
        return cls(np.array(pictures, np.float32), np.array(truth, np.float32))


@dataclass(frozen=True, slots=True)
class Score:
    """Pictures of one finding counted: those that show it, and those that do not."""

    finding: str
    found: int
    present: int
    spared: int
    absent: int

    @property
    def sensitivity(self) -> float:
        return self.found / self.present

    @property
    def specificity(self) -> float:
        return self.spared / self.absent

    def line(self) -> str:
        return (
            f"{self.finding:<14} sensitivity {_share(self.found, self.present)}"
            f"  specificity {_share(self.spared, self.absent)}"
        )


def assess(trained: Trained, held_out: Examples) -> tuple[Score, ...]:
    """At the thresholds the file will have, on pictures that training has not seen."""
    told = trained.probabilities(features(held_out.pictures))
    scores = []
    for column, output in enumerate(onnx_file.OUTPUTS):
        said, there = told[:, column] >= output["threshold"], held_out.truth[:, column] > 0
        counts = (said & there).sum(), there.sum(), (~said & ~there).sum(), (~there).sum()
        scores.append(Score(output["name"], *map(int, counts)))
    return tuple(scores)


def make(path: Path, *, count: int, held_out: int, seed: int = 0) -> tuple[Score, ...]:
    """Train on `count` pictures, write the file, and say how it does on `held_out` others."""
    examples = Examples.drawn(count, seed)
    trained = train(np.random.default_rng(seed), features(examples.pictures), examples.truth)
    onnx_file.write(trained, path)
    return assess(trained, Examples.drawn(held_out, _HELD_OUT_SEED + seed))


def _share(part: int, whole: int) -> str:
    """With the 95 % interval of Wilson, which is honest about small numbers."""
    z, share = 1.96, part / whole
    middle = (share + z**2 / (2 * whole)) / (1 + z**2 / whole)
    reach = z / (1 + z**2 / whole) * np.sqrt(share * (1 - share) / whole + z**2 / (4 * whole**2))
    return f"{share:.3f} ({middle - reach:.3f} to {middle + reach:.3f}, {part}/{whole})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="where the ONNX file goes")
    parser.add_argument("--count", type=int, default=4000, help="pictures to train on")
    parser.add_argument("--held-out", type=int, default=2000, help="pictures to assess it on")
    parser.add_argument("--quick", action="store_true", help="fewer of both, and so worse")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    count, held_out = (600, 200) if given.quick else (given.count, given.held_out)
    begin = time.monotonic()
    for score in make(given.file, count=count, held_out=held_out, seed=given.seed):
        print(score.line())
    size = given.file.stat().st_size
    print(f"{given.file}: {size} bytes, {count} drawings, {time.monotonic() - begin:.1f} s")
    print(onnx_file.NOTE)


if __name__ == "__main__":
    main()
