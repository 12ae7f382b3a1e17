"""The plan keeps graphs few and large, and old rows where they are."""

from hypothesis import given
from hypothesis import strategies as st

from index_nodes.merge_plan import MergePlan, SegmentSize, plan_merge

counts = st.integers(1, 100_000)


def flat(serial: int, rows: int, live: int | None = None) -> SegmentSize:
    return SegmentSize(serial=serial, rows=rows, live=rows if live is None else live, is_graph=False)


def graph(serial: int, rows: int, live: int | None = None) -> SegmentSize:
    return SegmentSize(serial=serial, rows=rows, live=rows if live is None else live, is_graph=True)


def test_nothing_is_planned_for_healthy_graphs() -> None:
    assert plan_merge([graph(1, 1_000, live=900), graph(2, 50)]) is None


def test_flat_segments_become_the_first_graph() -> None:
    assert plan_merge([flat(1, 4_096), flat(2, 4_096)]) == MergePlan(absorbed=(1, 2), base=None, inserted=8_192)


def test_a_graph_that_is_not_much_larger_is_extended() -> None:
    assert plan_merge([graph(1, 8 * 4_096), flat(2, 4_096)]) == MergePlan(absorbed=(2, 1), base=1, inserted=4_096)


def test_a_much_larger_graph_is_left_alone() -> None:
    assert plan_merge([graph(1, 8 * 4_096 + 1), flat(2, 4_096)]) == MergePlan(absorbed=(2,), base=None, inserted=4_096)


def test_gathering_small_graphs_reaches_larger_ones() -> None:
    plan = plan_merge([graph(1, 100_000), graph(2, 12_000), flat(3, 4_096)])
    assert plan == MergePlan(absorbed=(3, 2, 1), base=1, inserted=16_096)


def test_a_base_with_too_many_dead_rows_is_rebuilt() -> None:
    plan = plan_merge([graph(1, 10_000, live=7_999), flat(2, 4_096)])
    assert plan == MergePlan(absorbed=(2, 1), base=None, inserted=7_999 + 4_096)


def test_a_worn_graph_is_rebuilt_without_new_rows() -> None:
    plan = plan_merge([graph(1, 10_000, live=7_999), graph(2, 500)])
    assert plan == MergePlan(absorbed=(1,), base=None, inserted=7_999)


@given(st.lists(st.integers(256, 4_096), max_size=200))
def test_graphs_stay_few_and_rows_are_inserted_a_few_times(sealed: list[int]) -> None:
    graphs: list[SegmentSize] = []
    inserted = 0
    for serial, rows in enumerate(sealed):
        segments = [*graphs, flat(serial + 1_000, rows)]
        plan = plan_merge(segments)
        assert plan
        absorbed = [segment for segment in segments if segment.serial in plan.absorbed]
        inserted += sum(segment.rows for segment in absorbed if segment.serial != plan.base)
        merged = graph(serial + 100_000, sum(segment.rows for segment in absorbed))
        graphs = [*(segment for segment in graphs if segment.serial not in plan.absorbed), merged]
        assert len(graphs) <= 5
    assert inserted <= 3 * sum(sealed)
