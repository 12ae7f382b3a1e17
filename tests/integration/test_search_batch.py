"""A batch of searches: whatever keeps one of them waiting, the others have their time."""

from typing import Any

import pytest

from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.queues import SearchLane, search_queue
from embeddings_app import registry
from embeddings_app.api.requests.searches import search_request
from embeddings_app.records.topology import read_topology
from embeddings_app.services.documents import positions
from embeddings_app.services.documents.namespace_changes import create
from embeddings_app.services.search.batch import search_many
from tests.integration.indexing_steps import NAMESPACE, index, put

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
