"""The map of documents to slots is a dict to who uses it, whatever comes and goes, and takes less memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from index_nodes.slot_map import SlotMap
from index_nodes.slots import SlotTable

KEYS = st.integers(0, 12) | st.sampled_from([-(2**63), 2**63 - 1])


class MapMachine(RuleBasedStateMachine):
    """So few documents are recent that they join the sorted ones all the time."""

    @initialize(fewest_recent=st.integers(0, 3))
    def start(self, fewest_recent: int) -> None:
        self.map = SlotMap(fewest_recent)
        self.truth: dict[int, int] = {}

    @rule(key=KEYS, slot=st.integers(0, 2**31 - 1))
    def add(self, key: int, slot: int) -> None:
        if key not in self.truth:
            self.map.add(key, slot)
            self.truth[key] = slot

    @rule(data=st.data())
    @precondition(lambda self: self.truth)
    def remove(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.truth)))
        assert self.map.remove(key) == self.truth.pop(key)

    @rule(key=KEYS)
    def remove_what_is_not_there(self, key: int) -> None:
        if key not in self.truth:
            with pytest.raises(KeyError):
                self.map.remove(key)

    @rule(fewest_recent=st.integers(0, 3))
    def restore(self, fewest_recent: int) -> None:
        self.map = SlotMap(fewest_recent)
        self.map.restore(np.array([*self.truth], np.int64), np.array([*self.truth.values()], np.int64))

    @invariant()
    def is_a_dict(self) -> None:
        if not hasattr(self, "map"):
            return
        assert len(self.map) == len(self.truth)
        for key in (*range(13), -(2**63), 2**63 - 1):
            assert self.map.find(key) == self.truth.get(key)


TestMapMachine = MapMachine.TestCase
TestMapMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_document_with_two_slots_is_refused() -> None:
    with pytest.raises(ValueError, match="two slots"):
        SlotMap().restore(np.array([3, 1, 3]), np.array([0, 1, 2]))


@pytest.mark.parametrize("order", ["rising", "random"])
def test_a_slot_table_takes_few_bytes_a_document(order: str) -> None:
    count = 200_000
    keys = np.arange(count) if order == "rising" else np.random.default_rng(0).permutation(count)
    tracemalloc.start()
    try:
        table = SlotTable()
        for key in keys.tolist():
            slot = table.add(key)
            table.stamps[slot] = slot
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    # 32 in the arrays of the table, an eighth more at most, and those of the map.
    assert size / count < 36 + 20
    assert [table.find(key) for key in (0, count - 1, count)] == [
        int(np.flatnonzero(keys == 0)[0]), int(np.flatnonzero(keys == count - 1)[0]), None
    ]  # fmt: skip
