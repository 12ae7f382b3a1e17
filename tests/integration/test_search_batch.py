"""A batch of searches: whatever keeps one of them waiting, the others have their time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.queues import SearchLane, search_queue
from embeddings_app import registry
from embeddings_app.api.requests.searches import search_request
from embeddings_app.models import ModelRegistry, ModelStatus
from embeddings_app.records.topology import read_topology
from embeddings_app.services.documents import positions
from embeddings_app.services.documents.namespace_changes import create
from embeddings_app.services.search.batch import search_many
from embeddings_app.services.search.searching import SearchResult
from tests.integration.indexing_steps import NAMESPACE, index, put
from tests.integration.registry_steps import retire, take_back

pytestmark = pytest.mark.usefixtures("database")


def test_a_token_that_the_index_does_not_reach_takes_the_time_of_no_other_search() -> None:
    create(NAMESPACE, None, store_text=True, text_search="english", actor="test")
    put(("fox", "Foxes sleep in dens."), ("owl", "Owls hunt at night."))
    index()
    current, version_key = read_topology(), registry.active_spec(None).version_key
    token = positions.encode(positions.newest(current, version_key))
    searches: list[dict[str, Any]] = [
        {"query": "dens", "min_token": token},
        {"query": "dens", "min_token": token, "mode": "hybrid", "allow_partial": False},
        {"like": ["fox"]},
        {"query": "dens", "mode": "text"},
    ]
    late, late_too, like, words = search_many([search_request({"namespace": NAMESPACE, **one}) for one in searches])
    assert [one.code for one in (late, late_too) if isinstance(one, ServiceError)] == ["not_caught_up"] * 2
    assert isinstance(like, ServiceError), "no node answers"
    # Without time left it would not even be sent.
    queues = [search_queue(current.layout, version_key, shard, SearchLane.LIGHT) for shard in range(current.shards)]
    assert all(broker_client(load_config().redis_url).llen(queue) for queue in queues)
    assert not isinstance(words, ServiceError), words
    assert [hit.doc_id for hit in words.hits] == ["fox"]


def test_a_search_that_waits_for_a_silent_cross_encoder_is_answered_last() -> None:
    create(NAMESPACE, None, store_text=True, text_search="english", actor="test")
    put(("fox", "Foxes sleep in dens."), ("owl", "Owls hunt at night."))
    words = {"namespace": NAMESPACE, "query": "dens", "mode": "text"}
    with silent_cross_encoder() as model_id:
        searches = [{**words, "rerank": {"model": model_id}}, words]
        ranked, plain = search_many([search_request(one) for one in searches])
    assert isinstance(ranked, SearchResult)
    assert isinstance(plain, SearchResult)
    assert ranked.rerank is not None
    assert (ranked.rerank.error is not None, plain.rerank) == (True, None)
    assert [hit.doc_id for hit in (*ranked.hits, *plain.hits)] == ["fox", "fox"]
    # Of both, the time is told since the beginning of the batch.
    assert plain.timings_ms["total"] < ranked.timings_ms["total"]


@contextmanager
def silent_cross_encoder() -> Iterator[str]:
    """A model of pairs that no embedder serves."""
    model = {"type": "cross-encoder", "dimension": 1, "max_tokens": 64, "status": ModelStatus.ACTIVE}
    version, new = ModelRegistry.objects.get_or_create(model_id="org/silent", defaults=model)
    with connection.cursor() as cursor:
        if not new:
            take_back(cursor, version.pk)
        registry.forget_cached()
        try:
            yield "org/silent"
        finally:
            retire(cursor, version.pk)
            registry.forget_cached()
