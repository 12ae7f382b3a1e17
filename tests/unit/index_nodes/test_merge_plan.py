"""The plan keeps graphs few and large, and old rows where they are."""

from embedding_project.contracts.limits import MOST_BUILT_AT_ONCE, MOST_WAITING_ROWS
from index_nodes.merge_plan import (
    MANY_GRAPHS,
    MOST_GRAPH_ROWS,
    MergePlan,
    SegmentSize,
    plan_merge,
)

WAITING = 8_192


def flat(serial: int, rows: int, live: int | None = None) -> SegmentSize:
    return SegmentSize(serial=serial, rows=rows, live=rows if live is None else live, is_graph=False)


def graph(serial: int, rows: int, live: int | None = None, busy: bool = False) -> SegmentSize:
    return SegmentSize(serial=serial, rows=rows, live=rows if live is None else live, is_graph=True, busy=busy)


def plan(*segments: SegmentSize, loading: bool = False) -> MergePlan | None:
    return plan_merge(segments, loading=loading, waiting_rows=WAITING)


def test_nothing_is_planned_for_healthy_graphs() -> None:
    assert plan(graph(1, 1_000, live=900), graph(2, 50)) is None


def test_flat_segments_become_the_first_graph() -> None:
    assert plan(flat(1, 4_096), flat(2, 4_096)) == MergePlan(absorbed=(1, 2), base=None, inserted=8_192)


def test_a_graph_that_is_not_much_larger_is_extended() -> None:
    assert plan(graph(1, 4 * 4_096), flat(2, 4_096)) == MergePlan(absorbed=(2, 1), base=1, inserted=4_096)


def test_a_much_larger_graph_is_left_alone() -> None:
    assert plan(graph(1, 4 * 4_096 + 1), flat(2, 4_096)) == MergePlan(absorbed=(2,), base=None, inserted=4_096)


def test_of_several_graphs_the_largest_that_fits_is_extended_and_no_row_of_the_others_is_inserted() -> None:
    found = plan(graph(1, 100_000), graph(2, 12_000), graph(3, 9_000), flat(4, 4_096))
    assert found == MergePlan(absorbed=(4, 2), base=2, inserted=4_096)


def test_a_graph_with_too_many_dead_rows_is_not_extended_but_rebuilt() -> None:
    worn = graph(1, 10_000, live=7_999)
    assert plan(worn, flat(2, 4_096)) == MergePlan(absorbed=(2,), base=None, inserted=4_096)
    assert plan(worn, graph(2, 500)) == MergePlan(absorbed=(1,), base=None, inserted=7_999)


def test_graphs_of_like_sizes_are_joined_once_nobody_writes() -> None:
    segments = graph(1, 300), graph(2, 100_000), graph(3, 120_000), graph(4, 1_500_000)
    assert plan(*segments, loading=True) is None
    assert plan(*segments) == MergePlan(absorbed=(2, 3), base=3, inserted=100_000)


def test_many_graphs_are_joined_also_while_rows_come() -> None:
    many = [graph(serial, 50_000) for serial in range(MANY_GRAPHS)]
    assert plan(*many, loading=True) is None
    found = plan(*many, graph(99, 50_000), loading=True)
    assert found is not None
    assert (len(found.absorbed), found.inserted) == (MANY_GRAPHS + 1, MANY_GRAPHS * 50_000)


def test_while_rows_come_a_build_waits_for_as_many_as_the_graphs_have() -> None:
    assert plan(flat(1, WAITING - 1), loading=True) is None
    assert plan(flat(1, WAITING), loading=True)
    assert plan(graph(1, 2 * WAITING), flat(2, 2 * WAITING - 1), loading=True) is None
    assert plan(graph(1, 2 * WAITING), flat(2, 2 * WAITING), loading=True)
    large = graph(1, 1_000_000)
    assert plan(large, flat(2, MOST_WAITING_ROWS - 1), loading=True) is None
    assert plan(large, flat(2, MOST_WAITING_ROWS), loading=True)
    assert plan(large, flat(2, 300))


def test_no_graph_grows_beyond_the_bound() -> None:
    nearly = graph(1, MOST_GRAPH_ROWS - 100)
    assert plan(nearly, graph(2, MOST_GRAPH_ROWS // 2), graph(3, MOST_GRAPH_ROWS // 2 + 1)) is None
    added = [flat(serial, MOST_BUILT_AT_ONCE // 2) for serial in range(10, 16)]
    assert plan(nearly, *added) == MergePlan(absorbed=(10, 11), base=None, inserted=MOST_BUILT_AT_ONCE)


def test_segments_of_a_build_in_progress_are_left_alone() -> None:
    busy = graph(1, 8_000, busy=True)
    assert plan(busy, flat(2, 4_096)) == MergePlan(absorbed=(2,), base=None, inserted=4_096)
    assert plan(busy, graph(3, 8_000)) is None


def test_flat_rows_that_are_all_dead_are_removed() -> None:
    assert plan(flat(1, 300, live=0)) == MergePlan(absorbed=(1,), base=None, inserted=0)


def test_no_graph_is_planned_that_does_not_fit_but_rows_get_into_one() -> None:
    small = [graph(serial, 3_000) for serial in (1, 2, 3)]
    found = plan_merge(small, loading=False, waiting_rows=WAITING, most_rows=7_000)
    assert found == MergePlan(absorbed=(1, 2), base=2, inserted=3_000)
    worn = graph(4, 10_000, live=7_500)
    assert plan_merge([worn], loading=False, waiting_rows=WAITING, most_rows=7_000) is None
    flats = [flat(serial, 4_096) for serial in (5, 6, 7)]
    for most_rows in (0, 7_000):
        found = plan_merge([*small, *flats], loading=False, waiting_rows=WAITING, most_rows=most_rows)
        assert found == MergePlan(absorbed=(5,), base=None, inserted=4_096)
