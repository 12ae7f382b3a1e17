"""A shard replica: a follower that keeps its indexes, a queue of builds, and the answer to one message of queries."""

import logging
import math
import os
import threading
import time
from collections import defaultdict
from pathlib import Path

from embedding_project.contracts.census import CensusQuestion, CensusReply
from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.messages import BEHIND, HEAVY, SearchBatch, SearchReply, ShardQuery
from embedding_project.contracts.origins import distinct
from embedding_project.contracts.queues import SearchLane
from embedding_project.contracts.vectors import Vector
from embedding_project.observing import tracing
from embedding_project.observing.log_lines import place_of
from embedding_project.observing.request_context import serving
from index_nodes.build_lanes import BACKGROUND, LANES
from index_nodes.build_queue import BuildQueue
from index_nodes.census import answer_census
from index_nodes.effort import Effort, Overdue, TooHeavy
from index_nodes.hnsw_segment import search_one_thread_each
from index_nodes.log_follower import Follower
from index_nodes.memory_budget import MemoryBudget
from index_nodes.metrics import QUERIES, SEARCH_SECONDS
from index_nodes.replies import Addressed
from index_nodes.scan import SearchSpec
from index_nodes.serving import LogKey, Serving
from index_nodes.snapshot_writer import SnapshotWriter
from index_nodes.version_index import VersionIndex

FAILED = "internal_error"
_HEAVY_NICENESS = 5
"""How much a thread of heavy searches stands back behind those of light ones, where cores are few."""
Outcome = ShardHits | str
logger = logging.getLogger(__name__)


class ShardNode:
    """Any number of threads call `answer`; each must call `search_here` first."""

    def __init__(
        self,
        *,
        database_url: str,
        nodes_dir: Path,
        shard: int,
        replica: int,
        snapshot_seconds: int,
        memory: MemoryBudget,
        heavy_microseconds: float,
    ) -> None:
        """`heavy_microseconds`: what a light search may cost at most."""
        self._most = {SearchLane.LIGHT: heavy_microseconds, SearchLane.HEAVY: math.inf}
        self._shard = shard
        self._replica = replica
        self._nodes_dir = nodes_dir
        name = f"s{shard}-r{replica}"
        self._follower = Follower(database_url, shard, replica, nodes_dir / name, memory=memory)
        self._builds = [BuildQueue(name, self._follower.needed_indexes, nodes_dir, lane) for lane in LANES]
        self._builds.append(BuildQueue(name, self._follower.spare_indexes, nodes_dir, BACKGROUND))
        self._snapshots = SnapshotWriter(name, self._follower.snapshot_sources, snapshot_seconds)

    def start(self) -> None:
        self._nodes_dir.mkdir(parents=True, exist_ok=True)
        self._follower.start(keep_snapshots=self._snapshots.enabled)
        for builds in self._builds:
            builds.start()
        self._snapshots.start()

    def stop(self) -> None:
        self._snapshots.stop()
        for builds in self._builds:
            builds.stop()
        self._follower.stop()

    def search_here(self, lane: SearchLane = SearchLane.LIGHT) -> None:
        """Make the calling thread a search thread."""
        search_one_thread_each()
        if lane is SearchLane.HEAVY:
            own = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + _HEAVY_NICENESS)

    def queues(self, lane: SearchLane = SearchLane.LIGHT) -> tuple[str, ...]:
        """The queues that this replica must consume now; empty while it may not answer."""
        return self._follower.serving.queues(self._shard, time.monotonic(), lane)

    def answer(self, batch: SearchBatch, layout: int, lane: SearchLane = SearchLane.LIGHT) -> Addressed | None:
        """Search under a layout; the reply for the asker, or None when the deadline of the batch is over."""
        # The wall clock may be set during the searches, so they use the monotonic clock.
        seconds_left = batch.deadline - time.time()
        if seconds_left <= 0:
            QUERIES.labels("expired").inc(len(batch.queries))
            return None
        effort = Effort(deadline=time.monotonic() + seconds_left, most_microseconds=self._most[lane])
        with serving(distinct(batch.origins)):
            return Addressed(batch.inbox, self._search(batch, layout, effort, lane))

    def count(self, question: CensusQuestion, layout: int) -> Addressed | None:
        """Count; the reply for the asker, or None when the deadline of the question is over."""
        seconds_left = question.deadline - time.time()
        if seconds_left <= 0:
            QUERIES.labels("expired").inc()
            return None
        effort = Effort(deadline=time.monotonic() + seconds_left)
        outcome = answer_census(lambda: self._follower.serving, layout, question, self._shard, effort)
        return Addressed(
            question.inbox, CensusReply(question_id=question.question_id, shard=self._shard, outcome=outcome)
        )

    def _search(self, batch: SearchBatch, layout: int, effort: Effort, lane: SearchLane) -> SearchReply:
        began, began_ns = time.perf_counter(), time.time_ns()
        outcomes = search_batch(self._follower.serving, layout, batch, effort)
        seconds = time.perf_counter() - began
        SEARCH_SECONDS.labels(lane).observe(seconds)
        place = {"shard": self._shard, "replica": self._replica}
        tracing.record("search shard", batch.origins, began_ns, queries=len(batch.queries), **place)
        logger.debug("answered %d queries in %.1f ms", len(batch.queries), 1_000 * seconds)
        return SearchReply(
            fanout_id=batch.fanout_id, shard=self._shard, outcomes=tuple(outcomes), search_ms=1_000 * seconds
        )


def search_batch(serving: Serving, layout: int, batch: SearchBatch, effort: Effort) -> list[Outcome]:
    """An outcome for each query. One call searches all queries that differ in their vector only; no call begins after
    the deadline."""
    groups: dict[ShardQuery, list[int]] = defaultdict(list)
    for place, query in enumerate(batch.queries):
        groups[query].append(place)
    outcomes: list[Outcome] = [FAILED] * len(batch.queries)
    for query, places in groups.items():
        now = effort.clock()
        if now >= effort.deadline:
            QUERIES.labels("expired").inc(len(places))
            continue
        index = serving.index(LogKey(layout, query.version_key), batch.epoch, now)
        for place, outcome in zip(places, _search_group(index, batch, query, places, effort), strict=True):
            outcomes[place] = outcome
    return outcomes


def _search_group(
    index: VersionIndex | None, batch: SearchBatch, query: ShardQuery, places: list[int], effort: Effort
) -> list[Outcome]:
    if index is None:
        QUERIES.labels("behind").inc(len(places))
        return [BEHIND] * len(places)
    try:
        return _searched(index, query, batch.vectors[places], effort)
    except Overdue:
        QUERIES.labels("expired").inc(len(places))
        return [FAILED] * len(places)
    except Exception as error:  # noqa: BLE001
        # Any error costs this group alone. Its message may quote a filter, so the log does not show it.
        QUERIES.labels("failed").inc(len(places))
        logger.error("a search failed with %s", place_of(error))
        return [FAILED] * len(places)


def _searched(index: VersionIndex, query: ShardQuery, vectors: Vector, effort: Effort) -> list[Outcome]:
    spec = SearchSpec(top_k=query.top_k, ef_search=query.ef_search, exact=query.exact, filter=query.filter)
    try:
        hits: list[Outcome] = [*index.search(query.namespace_key, vectors, spec, effort)]
    except TooHeavy:
        if len(vectors) > 1:
            # It may be one of them alone: what lies near its vector decides.
            return [_searched(index, query, vectors[place : place + 1], effort)[0] for place in range(len(vectors))]
        QUERIES.labels("heavy").inc()
        return [HEAVY]
    QUERIES.labels("answered").inc(len(vectors))
    return hits
