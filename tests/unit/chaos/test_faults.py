"""What the catalogue deals, which parts a fault may disturb, and the form of messages that are put into queues."""

import base64
import json
import random

import pytest
from kombu.serialization import loads

from tests.chaos.faults.base import FaultRecord, Part, parts_of
from tests.chaos.faults.catalogue import CATALOGUE, Deck
from tests.chaos.faults.queues import index_hint


def test_a_deck_deals_every_fault_once_before_any_again() -> None:
    deck = Deck(tuple(CATALOGUE), seed=3)
    names = [deck.draw().name for _ in CATALOGUE]
    assert len(set(names)) > 0.9 * len(CATALOGUE)
    assert {name.split()[0] for name in names} == {name.split()[0] for name in CATALOGUE}


def test_the_same_seed_deals_the_same_faults() -> None:
    first, second = (Deck(tuple(CATALOGUE), seed=5) for _ in range(2))
    assert [first.draw().name for _ in range(100)] == [second.draw().name for _ in range(100)]


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_fault_says_what_it_may_disturb(name: str) -> None:
    assert CATALOGUE[name](random.Random(1)).parts


def test_a_role_that_only_writes_explains_no_partial_answer() -> None:
    assert all(Part.SEARCH not in parts_of(role) for role in ("beat", "indexer", "embedder-0", "cache"))
    assert all(Part.SEARCH in parts_of(role) for role in ("node-s0-r1", "broker", "postgres"))


def test_a_fault_is_near_from_its_beginning_until_the_grace_after_its_heal() -> None:
    record = FaultRecord(kind="kill", target="api", parts=frozenset(), injected=10, healed=12)
    assert [record.near(begin, begin + 1, 5) for begin in (8, 9, 12, 17, 17.5)] == [False, True, True, True, False]


def test_a_hint_is_a_message_that_kombu_reads() -> None:
    message = json.loads(index_hint([1, 2]))
    body = base64.b64decode(message["body"])
    read = loads(body, message["content-type"], message["content-encoding"], accept=["application/json"])
    assert read == [[[1, 2]], {}, {}]
