"""Position positions, and logs under two layouts."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from embedding_project.contracts.errors import ServiceError
from embeddings_app.models import Layout, LayoutStatus
from embeddings_app.records.topology import create_counters, heads, read_topology
from embeddings_app.services.documents import positions
from tests.integration.indexing_steps import index, put, rows

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def second_layout(database: str) -> Iterator[Layout]:
    layout = Layout.objects.create(shards=3, status=LayoutStatus.BUILDING)
    version_key = rows("SELECT id FROM model_registry WHERE model_id = 'all-MiniLM-L6-v2'")[0][0]
    create_counters(layout, version_key)
    yield layout
    layout.delete()


def _position() -> positions.Position:
    put(*((f"d{number}", f"text {number}") for number in range(10)))
    index()
    current = read_topology()
    (version_key,) = rows("SELECT DISTINCT model_version_id FROM shard_change")[0]
    reached = heads(current.layout, version_key, range(current.shards))
    return positions.Position(current.epoch, current.layout, version_key, reached)


def test_a_token_comes_back_as_it_went_out() -> None:
    position = _position()
    assert positions.decode(positions.encode(position), read_topology(), position.version_key) == position


@pytest.mark.parametrize("change", [{"epoch": "another"}, {"layout": 99}, {"version_key": 99}])
def test_a_token_of_another_epoch_layout_or_version_has_expired(change: dict[str, Any]) -> None:
    position = _position()
    with pytest.raises(ServiceError) as caught:
        positions.decode(positions.encode(replace(position, **change)), read_topology(), position.version_key)
    assert caught.value.code == "token_expired"


def test_a_token_beyond_the_head_is_invalid() -> None:
    position = _position()
    ahead = positions.encode(replace(position, seqs={shard: seq + 1 for shard, seq in position.seqs.items()}))
    with pytest.raises(ServiceError) as caught:
        positions.decode(ahead, read_topology(), position.version_key)
    assert caught.value.code == "invalid_token"


@pytest.mark.parametrize("token", ["", "x", "a:b:c", "WyJ4Il0:1xVVc4:forged"])
def test_a_forged_token_is_invalid(token: str) -> None:
    with pytest.raises(ServiceError) as caught:
        positions.decode(token, read_topology(), 1)
    assert caught.value.code == "invalid_token"


def test_a_write_reaches_the_logs_of_every_layout_that_is_built(second_layout: Layout) -> None:
    put(*((f"d{number}", f"text {number}") for number in range(30)))
    index()
    counts = dict(rows("SELECT layout_id, count(DISTINCT document_id) FROM shard_change GROUP BY layout_id"))
    assert set(counts.values()) == {30}
    assert len(counts) == 2
    misplaced = rows(
        """
        SELECT 1 FROM shard_change c JOIN layout l ON l.id = c.layout_id JOIN document d ON d.id = c.document_id
        WHERE c.shard <> d.shard_hash % l.shards
        """
    )
    assert misplaced == []
