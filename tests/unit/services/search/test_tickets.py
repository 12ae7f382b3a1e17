"""Searches that are asked again keep what they know, as long as it is of the same shards."""

from dataclasses import replace

import pytest

from embedding_project.contracts.messages import BEHIND, HEAVY
from embeddings_app.records.topology import Topology
from tests.unit.services.search.fanout_builders import HITS, TOPOLOGY, ticket


@pytest.mark.parametrize("unsettled", [BEHIND, HEAVY])
def test_shards_that_answered_are_not_asked_again(unsettled: str) -> None:
    first = ticket()
    first.land(0, HITS)
    first.land(1, unsettled)
    again = first.again(replace(TOPOLOGY, replicas=3))
    assert (again.outcomes, again.shards) == ({0: HITS}, frozenset({1}))


@pytest.mark.parametrize("now", [Topology("epoch", 2, 3, 2), Topology("epoch", 2, 2, 2), Topology("restored", 1, 2, 2)])
def test_every_shard_is_asked_when_the_documents_are_spread_anew_meanwhile(now: Topology) -> None:
    """Shard 0 of two shards has other documents than shard 0 of three."""
    first = ticket()
    first.land(0, HITS)
    first.land(1, BEHIND)
    again = first.again(now)
    assert (again.topology, again.outcomes, again.shards) == (now, {}, frozenset(range(now.shards)))
