"""The plane in which vectors differ most from each other: their first two principal directions.

Equal vectors give an equal plane, whenever and wherever it is made, so that a map can be shared by its address.
"""

from dataclasses import dataclass

import numpy as np

from embedding_project.contracts.vectors import Vector

_DIRECTIONS = 8
"""More than the two that are wanted: the first two then settle in few steps."""
_STEPS = 24
_SEED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    middle: Vector
    """Shape (d,)."""
    axes: Vector
    """Shape (d, 2), of unit length."""
    shares: tuple[float, float]
    """How much of what the vectors differ lies along each axis, 0 to 1."""

    def places(self, vectors: Vector) -> Vector:
        """Shape (n, 2)."""
        return np.asarray((vectors - self.middle) @ self.axes, np.float32)


def plane_of(vectors: Vector) -> Plane:
    """The plane of vectors of shape (n, d), n at least 1; both shares are 0 where all are equal."""
    middle = vectors.mean(axis=0)
    centred = vectors - middle
    total = float(np.square(centred, dtype=np.float64).sum())
    dimension = vectors.shape[1]
    start = np.random.default_rng(_SEED).standard_normal((dimension, min(_DIRECTIONS, dimension)), np.float32)
    basis = np.linalg.qr(start)[0]
    for _ in range(_STEPS if total else 0):
        basis = np.linalg.qr(centred.T @ (centred @ basis))[0]
    spread, turned = np.linalg.eigh((projected := centred @ basis).T @ projected)
    order = np.argsort(spread)[::-1][:2]
    axes = _upright(basis @ turned[:, order])
    found = [float(spread[one]) / total if total else 0.0 for one in order]
    if dimension == 1:
        axes, found = np.hstack([axes, np.zeros((1, 1), np.float32)]), [*found, 0.0]
    return Plane(middle=middle, axes=np.asarray(axes, np.float32), shares=(found[0], found[1]))


def _upright(axes: Vector) -> Vector:
    """Each axis in the one of its two directions in which its largest number is positive."""
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    return np.asarray(axes * np.where(largest < 0, -1, 1), np.float32)
