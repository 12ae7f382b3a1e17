"""The plane of a map: as the singular value decomposition has it, and the same every time."""

import numpy as np
import pytest

from embedding_project.contracts.vectors import Vector
from embeddings_app.services.mapping.plane import plane_of


def cloud(count: int, dimension: int) -> Vector:
    """Longer in some directions than in others, as vectors of texts are."""
    rng = np.random.default_rng(3)
    lengths = np.linspace(3, 0.1, dimension) ** 3
    turned = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0]
    return np.asarray(rng.standard_normal((count, dimension)) * lengths @ turned + 5, np.float32)


@pytest.mark.parametrize(("count", "dimension"), [(500, 64), (40, 384), (2_000, 24)])
def test_its_axes_are_the_first_two_principal_directions(count: int, dimension: int) -> None:
    vectors = cloud(count, dimension)
    plane = plane_of(vectors)
    _, sizes, rows = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    for axis in range(2):
        assert abs(float(plane.axes[:, axis] @ rows[axis])) == pytest.approx(1, abs=0.02)
    assert plane.shares == pytest.approx(tuple(sizes[:2] ** 2 / np.square(sizes).sum()), rel=0.02)


def test_the_same_vectors_give_the_same_places() -> None:
    vectors = cloud(300, 48)
    first, again = plane_of(vectors), plane_of(vectors.copy())
    assert np.array_equal(first.places(vectors), again.places(vectors))


def test_the_middle_lies_in_the_middle() -> None:
    vectors = cloud(300, 48)
    plane = plane_of(vectors)
    assert np.allclose(plane.places(vectors.mean(axis=0)[np.newaxis]), 0, atol=1e-4)


@pytest.mark.parametrize("dimension", [1, 2, 384])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_and_short_vectors_have_a_plane_too(count: int, dimension: int) -> None:
    vectors = cloud(count, dimension)
    plane = plane_of(vectors)
    assert plane.places(vectors).shape == (count, 2)
    assert np.isfinite(plane.places(vectors)).all()


def test_equal_vectors_lie_on_one_point() -> None:
    plane = plane_of(np.ones((20, 8), np.float32))
    assert plane.shares == (0.0, 0.0)
    assert not plane.places(np.ones((20, 8), np.float32)).any()
