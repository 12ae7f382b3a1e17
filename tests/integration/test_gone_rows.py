"""What was read by its key may have gone when it is read again: a restore replaces every table, and the last thing of a
drop is the row of the namespace. Nobody falls over it."""

from collections.abc import Iterator, Sequence

import pytest

from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app import registry
from embeddings_app.models import ModelRegistry, Namespace, ReembedRun
from embeddings_app.records import namespaces, vector_partitions
from embeddings_app.records.claims import Claim
from embeddings_app.records.sql import execute
from embeddings_app.services.documents.deleting import delete_expired
from embeddings_app.services.embedding.embed import EmbedOutcome
from embeddings_app.services.indexing.claiming import Claiming
from embeddings_app.services.indexing.indexing import index_pending
from embeddings_app.services.reembedding.chunks import work_on_chunk
from embeddings_app.services.reembedding.waves import advance
from tests.integration.indexing_steps import embed, index
from tests.integration.reembedding_steps import (
    Versions,
    forget_model,
    new_model,
    next_chunks,
    no_send,
    start,
    vectors,
    write,
)

GONE = 2**40


@pytest.fixture
def versions(database: str) -> Iterator[Versions]:
    found = new_model()
    yield found
    forget_model(found[0])


def take_away(version: ModelRegistry) -> None:
    execute("DELETE FROM embedding_record WHERE model_version_id = %s", [version.pk])
    execute("DELETE FROM shard_change WHERE model_version_id = %s", [version.pk])
    execute("DELETE FROM shard_counter WHERE model_version_id = %s", [version.pk])
    vector_partitions.drop_vector_partition(version.pk)
    ModelRegistry.objects.filter(pk=version.pk).delete()
    registry.forget_cached()


class RestoredBehindTheFirstClaim(Claiming):
    """A version goes at the worst moment: its records are claimed, and it was not read yet."""

    def __init__(self, version: ModelRegistry) -> None:
        super().__init__()
        self._version = version
        self.taken: list[int] = []

    def take(self, lease_seconds: float) -> list[Claim]:
        batch = super().take(lease_seconds)
        self.taken += {claim.version_key for claim in batch}
        if self.taken == [self._version.pk]:
            take_away(self._version)
        return batch


def test_a_turn_of_indexing_goes_on_behind_a_version_that_went(versions: Versions) -> None:
    gone, _ = versions
    stays, _ = new_model()
    write(gone, "lost", namespace="gone-lost")
    write(stays, "kept", namespace="gone-kept")
    claiming = RestoredBehindTheFirstClaim(gone)
    assert not index_pending(60.0, embed, lambda since: False, claiming)
    assert claiming.taken == [gone.pk, stays.pk]
    assert vectors(stays) == {"kept": 1}
    forget_model(stays)


def test_a_chunk_ends_when_its_run_went(versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    index()
    run = start(second)
    (chunk,) = next_chunks(run)

    def restored(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        ReembedRun.objects.filter(pk=run.pk).delete()
        return embed(spec, texts)

    assert not work_on_chunk(chunk, restored, lambda _: None)
    assert not work_on_chunk(chunk, embed, lambda _: None)
    advance(run.pk, 1, no_send)


@pytest.mark.usefixtures("database")
def test_a_namespace_that_went_has_nothing_to_delete_and_no_fields() -> None:
    assert not Namespace.objects.filter(pk=GONE).exists()
    assert delete_expired(GONE, ["a"]) == 0
    assert namespaces.unused_fields(GONE) == frozenset()
