"""A steady stream of rows through the plan, with the costs of a real builder: how often a row is inserted, how many
graphs there are, how many rows wait."""

from dataclasses import dataclass, field

import pytest

from index_nodes.merge_plan import MANY_GRAPHS, MOST_GRAPH_ROWS, MergePlan, SegmentSize, plan_merge

ROWS_A_SECOND = 3_454
"""A bare build of 384 dimensions on two cores."""
START_SECONDS = 0.5
COPY_SECONDS = 6e-6
"""To read, write, sync, hash and read again one row of the graph that is extended."""
SEALED, QUIET_SECONDS, WAITING, LOOK_SECONDS = 4_096, 3.0, 8_192, 0.25


@dataclass
class Stream:
    total: int
    rate: float
    now: float = 0.0
    sealed: int = 0
    serial: int = 0
    segments: list[SegmentSize] = field(default_factory=list)
    adding_seconds: float = 0.0
    added: int = 0
    joined: int = 0
    most_unbuilt: int = 0
    most_graphs: int = 0
    largest: int = 0

    @property
    def loading(self) -> bool:
        return self.now < self.total / self.rate + QUIET_SECONDS

    @property
    def efficiency(self) -> float:
        """Time of a bare build of all rows, by the time of the builds that brought them into graphs."""
        return self.total / ROWS_A_SECOND / self.adding_seconds

    def run(self) -> "Stream":
        while True:
            self._arrive()
            plan = plan_merge(self.segments, loading=self.loading, waiting_rows=WAITING)
            if plan:
                self._build(plan)
            elif not self.loading:
                return self
            else:
                self.now += LOOK_SECONDS

    def _arrive(self) -> None:
        arrived = min(self.total, int(self.rate * self.now))
        while arrived - self.sealed >= SEALED:
            self._append(SEALED)
        if not self.loading and self.sealed < self.total:
            self._append(self.total - self.sealed)
        waiting = sum(segment.rows for segment in self.segments if not segment.is_graph)
        self.most_unbuilt = max(self.most_unbuilt, waiting + arrived - self.sealed)
        self.most_graphs = max(self.most_graphs, sum(segment.is_graph for segment in self.segments))

    def _append(self, rows: int) -> None:
        self.serial += 1
        self.sealed += rows
        self.segments.append(SegmentSize(serial=self.serial, rows=rows, live=rows, is_graph=False))

    def _build(self, plan: MergePlan) -> None:
        absorbed = [segment for segment in self.segments if segment.serial in plan.absorbed]
        rows = sum(segment.rows for segment in absorbed)
        seconds = START_SECONDS + plan.inserted / ROWS_A_SECOND + COPY_SECONDS * rows
        self.now += seconds
        if any(not segment.is_graph for segment in absorbed):
            self.adding_seconds += seconds
            self.added += plan.inserted
        else:
            self.joined += plan.inserted
        self._arrive()
        self.serial += 1
        kept = [segment for segment in self.segments if segment.serial not in plan.absorbed]
        self.segments = [*kept, SegmentSize(serial=self.serial, rows=rows, live=rows, is_graph=True)]
        self.largest = max(self.largest, rows)


STREAMS = [
    pytest.param(30_000, 1_500, id="a small load"),
    pytest.param(100_000, 1_500, id="a load"),
    pytest.param(1_000_000, 1_000, id="a long load"),
    pytest.param(1_000_000, 1e9, id="a rebuild from Postgres"),
    pytest.param(10_000_000, 1_000, id="a load of days"),
]


@pytest.mark.parametrize(("total", "rate"), STREAMS)
def test_a_row_is_inserted_once_to_get_into_a_graph_and_the_builder_is_not_much_slower_than_a_bare_one(
    total: int, rate: float
) -> None:
    stream = Stream(total, rate).run()
    assert stream.added == total
    # A few small builds spend a tenth of their time on starting.
    assert stream.efficiency >= (0.85 if total > 50_000 else 0.8)
    assert stream.joined < total


@pytest.mark.parametrize(("total", "rate"), STREAMS)
def test_graphs_are_few_and_bounded(total: int, rate: float) -> None:
    stream = Stream(total, rate).run()
    assert stream.largest <= MOST_GRAPH_ROWS
    assert stream.most_graphs <= MANY_GRAPHS + total // (MOST_GRAPH_ROWS // 2) + 2
    assert len(stream.segments) <= 2 + total // (MOST_GRAPH_ROWS // 2)


def test_few_rows_wait_while_the_builder_keeps_pace() -> None:
    assert Stream(1_000_000, 1_000).run().most_unbuilt < 50_000


def test_a_trickle_of_small_loads_is_seldom_inserted_again() -> None:
    """Each load ends before the next begins, so that graphs are joined after each."""
    stream = Stream(0, 1.0)
    for _ in range(300):
        stream.total += 500
        stream.now = stream.total / stream.rate + 2 * QUIET_SECONDS
        stream.run()
    assert stream.joined <= 3 * stream.total
    assert len(stream.segments) <= 6
