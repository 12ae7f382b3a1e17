"""How much of a re-embedding run goes at a time, and what it needs room for."""

import pytest

from embedding_project.contracts.errors import ServiceError
from embeddings_app.services.embedding.batch_size import BatchSize
from embeddings_app.services.reembedding.estimating import Estimate, Room, check_room


def test_what_does_not_fit_is_refused() -> None:
    expected = Estimate(10, True, 40, 0.0, 0.0, 1.0, disk_bytes=5 * 2**20, memory_bytes=3 * 2**20)
    check_room(expected, Room(disk=5 * 2**20, memory=3 * 2**20))
    with pytest.raises(ServiceError, match="need about 5 MiB of disk, and this machine has 4 MiB"):
        check_room(expected, Room(disk=4 * 2**20, memory=2**30))
    with pytest.raises(ServiceError, match="of memory"):
        check_room(expected, Room(disk=2**40, memory=2**20))


def test_batches_grow_while_they_are_quick_and_shrink_while_they_are_slow() -> None:
    size = BatchSize(texts=32, largest=256, quick_seconds=1.0, slow_seconds=3.0)
    for _ in range(10):
        size.learn(0.1, lost=False)
    assert size.texts == 256
    size.learn(10.0, lost=False)
    assert size.texts == 128
    for _ in range(10):
        size.learn(0.1, lost=True)
    assert size.texts == 1
