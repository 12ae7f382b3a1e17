"""Ranges of the sorted values of a column, against a plain dict."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from embedding_project.contracts.filters import VALUE_TESTS
from index_nodes.sorted_values import SortedValues
from tests.unit.index_nodes.test_columns import numbers

operands = st.one_of(numbers, st.integers(0, 40))


class RangeMachine(RuleBasedStateMachine):
    """Ranges of values that come and go, with small runs so that they join and thin out, against a plain dict."""

    def __init__(self) -> None:
        super().__init__()
        self.values, self.kept = SortedValues(waiting=3, max_run=8), dict[float, int]()

    @rule(value=st.one_of(st.integers(0, 40), st.sampled_from([0.5, 2**53, 2**53 + 1, float(2**60), 2**60 + 1])))
    def come_or_go(self, value: float) -> None:
        if value in self.kept:
            self.values.remove(value, self.kept.pop(value))
            return
        self.kept[value] = min(set(range(len(self.kept) + 1)) - set(self.kept.values()))
        self.values.add(value, self.kept[value])

    @rule(bounds=st.lists(st.tuples(st.sampled_from(["gt", "gte", "lt", "lte"]), operands), min_size=1, max_size=3))
    def ask(self, bounds: list[tuple[str, float]]) -> None:
        passing = sorted(
            code
            for value, code in self.kept.items()
            if all(VALUE_TESTS[operator](value, operand) for operator, operand in bounds)
        )
        assert sorted(self.values.range(*bounds).tolist()) == passing
        assert self.values.at_most(*bounds) >= len(passing)


TestRangeMachine = RangeMachine.TestCase
TestRangeMachine.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)


class Counted(str):
    """A string that counts how often it is compared."""

    compared = 0

    def __lt__(self, other: str) -> bool:
        Counted.compared += 1
        return str.__lt__(self, other)


def test_a_range_of_many_strings_compares_few_of_them() -> None:
    values = SortedValues()
    values.update({Counted(f"2024-{number:06}"): number for number in range(200_000)})
    Counted.compared = 0
    assert len(values.range(("gte", Counted("2024-100000")))) == 100_000
    assert Counted.compared < 200
    values.add(Counted("2025"), 200_000)
    assert len(values.range(("gt", Counted("2024-199999")))) == 1
    assert Counted.compared < 400
