"""A very small network: one convolution whose filters are given, and one layer that is trained.

The filters look for round spots of three sizes and for edges in eight directions. Their strongest
response in each sixteenth of the picture goes into a weighted sum for each finding. Pictures are
(count, SIZE, SIZE), 0 to 1, as `ai_routing.pictures.prepare` makes them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

SIZE: Final = 64
KERNEL: Final = 13
STRIDE: Final = 2
POOL: Final = 8  # responses a side of what one maximum is taken of

_BATCH: Final = 64
_STEPS: Final = 600
_RATE: Final = 0.01
_DECAY: Final = 0.003
_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Trained:
    """`weights` is (features, findings), `bias` (findings,)."""

    weights: Array
    bias: Array

    def probabilities(self, features: Array) -> Array:
        """(count, findings), 0 to 1 each."""
        return _sigmoid(features @ self.weights + self.bias)


def kernels() -> Array:
    """(filters, KERNEL, KERNEL), none of which responds to evenness."""
    edge = KERNEL // 2
    y, x = np.mgrid[-edge : edge + 1, -edge : edge + 1].astype(np.float32)
    away = np.hypot(x, y)
    return np.array([*_spots(away), *_edges(x, y, away)], np.float32)


def features(pictures: Array) -> Array:
    """(count, features): what the trained layer sees."""
    filters = kernels().reshape(-1, KERNEL * KERNEL)
    parts = [pictures[at : at + _AT_ONCE] for at in range(0, len(pictures), _AT_ONCE)]
    return np.concatenate([_pooled(_patches(part) @ filters.T) for part in parts])


def train(random: np.random.Generator, seen: Array, truth: Array) -> Trained:
    """Weights for the features `seen`: logistic regression by Adam (Kingma and Ba, 2015), which is
    told to keep them small."""
    mean, spread = seen.mean(0), seen.std(0) + 1e-3
    scaled = (seen - mean) / spread
    values = np.zeros((seen.shape[1] + 1, truth.shape[1]), np.float32)  # the bias comes last
    first, second = np.zeros_like(values), np.zeros_like(values)
    for step in range(1, _STEPS + 1):
        some = random.integers(0, len(scaled), _BATCH)
        wrong = (_sigmoid(scaled[some] @ values[:-1] + values[-1]) - truth[some]) / _BATCH
        slope = np.vstack([scaled[some].T @ wrong + _DECAY * values[:-1], wrong.sum(0)])
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        ahead, steep = first / (1 - 0.9**step), np.sqrt(second / (1 - 0.999**step))
        values -= _RATE * (1 - step / (_STEPS + 1)) * ahead / (steep + 1e-8)
    weights = values[:-1] / spread[:, np.newaxis]  # so that it takes features as they come
    return Trained(weights, values[-1] - mean @ weights)


def _spots(away: Array) -> Iterator[Array]:
    for radius in (2.2, 3.2, 4.4):
        disc = (away <= radius).astype(np.float32)
        ring = ((away > radius) & (away <= 1.5 * radius)).astype(np.float32)
        yield disc / disc.sum() - ring / ring.sum()


def _edges(x: Array, y: Array, away: Array) -> Iterator[Array]:
    for width in (1.5, 3.0):
        for eighth in range(8):
            angle = eighth * np.pi / 4
            slope = np.exp(-((away / width) ** 2) / 2) * (x * np.cos(angle) + y * np.sin(angle))
            yield slope / np.abs(slope).sum() * 2


def _patches(pictures: Array) -> Array:
    """(count, SIZE / STRIDE, SIZE / STRIDE, KERNEL * KERNEL)."""
    edge = KERNEL // 2
    padded = np.pad(pictures, ((0, 0), (edge, edge), (edge, edge)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (KERNEL, KERNEL), (1, 2))
    strided = views[:, ::STRIDE, ::STRIDE]
    return np.ascontiguousarray(strided).reshape(*strided.shape[:3], -1)


def _pooled(responses: Array) -> Array:
    """Maxima, filter by filter: the order in which a network's Flatten has them."""
    count, rows, columns, filters = responses.shape
    squares = responses.reshape(count, rows // POOL, POOL, columns // POOL, POOL, filters)
    strongest: Array = np.maximum(squares.max((2, 4)), 0)
    return strongest.transpose(0, 3, 1, 2).reshape(count, -1)


def _sigmoid(scores: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(scores, -30, 30))), np.float32)
