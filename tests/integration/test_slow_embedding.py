"""A machine on which a batch of texts takes longer than its time: some of them are embedded all the same."""

from collections.abc import Sequence

import pytest

from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app.services.embedding.embed import ANSWER_SECONDS, EmbedOutcome
from embeddings_app.services.indexing.claiming import Claiming
from embeddings_app.services.indexing.indexing import index_pending
from embeddings_app.services.reembedding.chunks import work_on_chunk
from tests.integration.indexing_steps import embed, failing, index, make_due, put, rows
from tests.integration.reembedding_steps import forget_model, new_model, next_chunks, start, vectors, write

pytestmark = pytest.mark.usefixtures("database")
DOCUMENTS = 64


class SlowEmbedder:
    """Embeds no batch of more than `in_time` texts before its deadline, and keeps nothing of what it computed."""

    def __init__(self, in_time: int) -> None:
        self.in_time = in_time
        self.sizes: list[int] = []
        self.now = 0.0

    def embed(self, spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        self.sizes.append(len(texts))
        if len(texts) > self.in_time:
            self.now += ANSWER_SECONDS
            return failing("embedder_unavailable", len(texts))
        return embed(spec, texts)


def left() -> int:
    return int(rows("SELECT count(*) FROM embedding_record WHERE state = 'pending'")[0][0])


@pytest.mark.parametrize("in_time", [1, 5])
def test_batches_that_expired_are_tried_in_smaller_ones_until_some_are_embedded(in_time: int) -> None:
    put(*((f"d{number:02}", f"text {number}") for number in range(DOCUMENTS)))
    slow = SlowEmbedder(in_time)
    claiming = Claiming(lambda: slow.now)
    for _ in range(DOCUMENTS):
        index_pending(60.0, slow.embed, lambda since: False, claiming)
        make_due()
    assert left() == 0
    assert min(slow.sizes) <= in_time


def test_batches_are_full_again_once_they_are_embedded_in_time() -> None:
    put(*((f"d{number:02}", f"text {number}") for number in range(DOCUMENTS)))
    slow = SlowEmbedder(0)
    claiming = Claiming(lambda: slow.now)
    for _ in range(6):
        index_pending(0.001, slow.embed, lambda since: False, claiming)
        make_due()
    slow.in_time, slow.sizes = DOCUMENTS, []
    index_pending(60.0, slow.embed, lambda since: False, claiming)
    assert slow.sizes == [1, 2, 4, 8, 16, 32, 1]
    assert left() == 0


def test_a_chunk_goes_down_to_single_texts_before_it_is_given_back() -> None:
    first, second = new_model()
    try:
        write(first, *(f"d{number:02}" for number in range(DOCUMENTS)))
        index()
        slow = SlowEmbedder(1)
        (chunk,) = next_chunks(start(second))
        for _ in range(DOCUMENTS):
            if work_on_chunk(chunk, slow.embed, lambda _: None):
                break
        assert len(vectors(second)) == DOCUMENTS
        assert slow.sizes[:7] == [32, 16, 8, 4, 2, 1, 2]
    finally:
        forget_model(first)
