"""Planning of steps and turns: pure properties."""

from hypothesis import given
from hypothesis import strategies as st

from embedding_project.contracts.messages import Lane
from workers.batching import MAX_INTERACTIVE_STEPS_IN_A_ROW, Budget, cost, next_lane, next_step, steps

lengths = st.lists(st.integers(1, 600), max_size=300)
budgets = st.builds(
    Budget,
    items=st.integers(1, 70),
    tokens=st.integers(1, 3000),
    step_cost_tokens=st.integers(0, 500),
    window=st.integers(1, 400),
)


@given(lengths, budgets)
def test_every_text_is_in_exactly_one_step(lengths: list[int], budget: Budget) -> None:
    assert sorted(position for group in steps(lengths, budget) for position in group) == list(range(len(lengths)))


@given(lengths, budgets)
def test_a_step_keeps_its_budget_unless_it_is_one_text(lengths: list[int], budget: Budget) -> None:
    for group in steps(lengths, budget):
        padded = len(group) * max(lengths[position] for position in group)
        assert len(group) <= budget.items
        assert len(group) == 1 or padded <= budget.tokens


@given(lengths, budgets)
def test_padding_of_a_step_never_costs_more_than_another_step(lengths: list[int], budget: Budget) -> None:
    for group in steps(lengths, budget):
        for position in group[1:]:
            assert lengths[group[0]] - lengths[position] <= budget.step_cost_tokens


@given(lengths.filter(len), budgets, st.booleans())
def test_taking_steps_one_by_one_serves_the_oldest_text_each_time(
    lengths: list[int], budget: Budget, padded: bool
) -> None:
    waiting = list(enumerate(lengths))
    served: list[int] = []
    while waiting:
        chosen = next_step([length for _, length in waiting], budget, padded=padded)
        assert 0 in chosen
        assert max(chosen) < (budget.window if padded else budget.items)
        spent = cost([waiting[position][1] for position in chosen], padded=padded)
        assert len(chosen) == 1 or spent <= budget.tokens
        served += [waiting[position][0] for position in chosen]
        waiting = [item for position, item in enumerate(waiting) if position not in set(chosen)]
    assert sorted(served) == list(range(len(lengths)))


@given(lengths.filter(len), budgets)
def test_without_padding_the_oldest_texts_go_and_no_more_would_fit(lengths: list[int], budget: Budget) -> None:
    chosen = next_step(lengths, budget, padded=False)
    assert chosen == list(range(len(chosen)))
    if len(chosen) < min(len(lengths), budget.items):
        assert sum(lengths[: len(chosen) + 1]) > budget.tokens


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=100))
def test_interactive_goes_first_and_bulk_never_starves(waiting: list[tuple[bool, bool]]) -> None:
    in_a_row = bulk_waits = 0
    for interactive, bulk in waiting:
        lane = next_lane(interactive=interactive, bulk=bulk, interactive_in_a_row=in_a_row)
        assert (lane is None) == (not interactive and not bulk)
        assert lane is not Lane.INTERACTIVE or interactive
        assert lane is not Lane.BULK or bulk
        if interactive and lane is Lane.BULK:
            assert in_a_row == MAX_INTERACTIVE_STEPS_IN_A_ROW
        bulk_waits = bulk_waits + 1 if bulk and lane is not Lane.BULK else 0
        assert bulk_waits <= MAX_INTERACTIVE_STEPS_IN_A_ROW
        in_a_row = min(in_a_row + 1, MAX_INTERACTIVE_STEPS_IN_A_ROW) if lane is Lane.INTERACTIVE else 0
