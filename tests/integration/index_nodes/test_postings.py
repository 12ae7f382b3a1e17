"""Postings of slots whose codes come, go, become many and few again, against the codes themselves."""

from collections import Counter

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from index_nodes.postings import Postings

SLOTS, CODES, FEW = 60, 5, 4
codes = st.integers(0, CODES - 1)


class PostingsMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.postings = Postings(FEW)
        self.codes = np.full(SLOTS, -1, np.int32)

    def uses(self) -> Counter[int]:
        return Counter(code for code in self.codes.tolist() if code >= 0)

    @rule(slots=st.lists(st.integers(0, SLOTS - 1), min_size=1, max_size=30), code=codes)
    def take(self, slots: list[int], code: int) -> None:
        for slot in slots:
            before = int(self.codes[slot])
            # A column gives its codes in rising order.
            taken = min(code, len(self.postings._first))
            if before == taken:
                continue
            self.codes[slot] = taken
            self.postings.add(taken, slot, self.uses()[taken], self.codes)
            self._left(before)

    @rule(slots=st.lists(st.integers(0, SLOTS - 1), min_size=1, max_size=30))
    def lose(self, slots: list[int]) -> None:
        for slot in slots:
            before, self.codes[slot] = int(self.codes[slot]), -1
            self._left(before)

    def _left(self, code: int) -> None:
        if code >= 0 and code not in self.uses():
            self.postings.forget(code)

    @rule(wanted=st.sets(codes, min_size=1))
    @precondition(lambda self: len(self.postings._first) > 0)
    def ask(self, wanted: set[int]) -> None:
        known = np.array([code for code in wanted if self.uses()[code] <= FEW], np.int32)
        known = known[known < len(self.postings._first)]
        found = self.postings.slots(known, self.codes)
        assert np.all(np.diff(found) > 0)
        assert set(found.tolist()) >= set(np.flatnonzero(np.isin(self.codes, known)).tolist())

    @rule()
    def restore(self) -> None:
        count = len(self.postings._first)
        self.postings = Postings(FEW)
        self.postings.restore(self.codes, np.array([self.uses()[code] for code in range(count)], np.int64))

    @invariant()
    def lists_are_short(self) -> None:
        uses = self.uses()
        for code, more in self.postings._more.items():
            assert len(more) < 2 * max(FEW, uses[code]) + 20


TestPostingsMachine = PostingsMachine.TestCase
TestPostingsMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
