"""Whatever order states arrive in, and whatever is built meanwhile, an index answers as the exact one does."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from embedding_project.contracts.filters import Condition, Filter, to_wire
from index_nodes.builder import extend
from index_nodes.collection import DocumentState
from index_nodes.hnsw_segment import HnswSegment
from index_nodes.merge_job import MergeJob
from index_nodes.oracle import ExactIndex, OracleDocument
from index_nodes.seal_rule import SealRule
from index_nodes.tally import document_hash
from index_nodes.version_index import VersionIndex
from tests.unit.index_nodes.builders import clustered_vectors, spec

DIMENSION = 4
VECTORS = clustered_vectors(64, DIMENSION, clusters=8)
QUERY = VECTORS[:2]
keys = st.integers(1, 6)
namespaces = st.sampled_from([1, 2])
metadata = st.sampled_from([{}, {"a": 1}, {"a": 2, "b": {"c": ["x"]}}, {"a": "1"}])
filters: list[Filter | None] = [
    None,
    Condition("a", "gte", 1),
    Condition("a", "ne", 1),
    Condition("b.c", "contains", "x"),
]


class IndexMachine(RuleBasedStateMachine):
    """The truth is a dict; what the index gets are states of it, also old ones, twice, and in any order."""

    @initialize()
    def start(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.seal_rule = SealRule(rows=4, quiet_rows=1, quiet_seconds=1.0)
        self.index = VersionIndex(DIMENSION, self.root / "v", self.seal_rule)
        self.history: list[DocumentState] = []
        self.delivered: dict[int, DocumentState] = {}
        self.current: dict[int, DocumentState] = {}
        self.job: tuple[int, MergeJob] | None = None
        self.now = 0.0

    def teardown(self) -> None:
        if hasattr(self, "root"):
            shutil.rmtree(self.root)

    def _write(self, key: int, **changes: Any) -> None:
        before = self.current.get(key)
        values: dict[str, Any] = {
            "document_key": key,
            "namespace_key": 1 + key % 2,
            "revision": before.revision + 1 if before else 1,
            "text_revision": before.text_revision if before else 0,
            "vector": before.vector if before else None,
            "metadata": before.metadata if before else {},
        }
        self.current[key] = DocumentState(**{**values, **changes})
        self.history.append(self.current[key])

    @rule(key=keys, vector=st.integers(0, len(VECTORS) - 1), metadata=metadata)
    def write_text(self, key: int, vector: int, metadata: dict[str, Any]) -> None:
        revision = self.current[key].revision + 1 if key in self.current else 1
        self._write(key, text_revision=revision, vector=VECTORS[vector], metadata=metadata)

    @rule(key=keys, vector=st.integers(0, len(VECTORS) - 1))
    def write_text_that_is_embedded_later(self, key: int, vector: int) -> None:
        # The revision is counted, and logged, before the vector is there; the vector comes under the same revision.
        self._write(key)
        revision = self.current[key].revision
        self._write(key, revision=revision, text_revision=revision, vector=VECTORS[vector])

    @rule(key=keys, metadata=metadata)
    def write_metadata(self, key: int, metadata: dict[str, Any]) -> None:
        self._write(key, metadata=metadata)

    @rule(key=keys)
    def delete(self, key: int) -> None:
        self._write(key, text_revision=0, vector=None, metadata={})

    @rule(data=st.data())
    @precondition(lambda self: self.history)
    def deliver_any(self, data: st.DataObject) -> None:
        self._deliver(data.draw(st.lists(st.sampled_from(self.history), min_size=1, max_size=5)))

    @rule()
    def deliver_all_twice(self) -> None:
        self._deliver([*self.history, *self.history])

    def _deliver(self, states: list[DocumentState]) -> None:
        self.now += 0.1
        self.index.apply(states, self.now)
        for state in states:
            known = self.delivered.get(state.document_key)
            if known is None or (state.revision, state.text_revision) > (known.revision, known.text_revision):
                self.delivered[state.document_key] = state

    @rule(seconds=st.sampled_from([0.0, 2.0]))
    @precondition(lambda self: self.job is None)
    def begin_build(self, seconds: float) -> None:
        self.now += seconds
        self.job = self.index.next_build(self.now)

    @rule()
    @precondition(lambda self: self.job is not None)
    def finish_build(self) -> None:
        assert self.job
        namespace_key, job = self.job
        rows, built = job.rows(), None
        if rows.count:
            output = self.index.directory / f"{id(job)}-{self.now}.faiss"
            extend(
                job.base.path if job.base else None, np.concatenate([*job.added_vectors()]), output, self.index.storage
            )
            built = HnswSegment.read(rows, output)
        self.index.publish(namespace_key, job, built)
        self.job = None

    @invariant()
    def answers_as_the_oracle(self) -> None:
        oracle = ExactIndex()
        for key, state in self.delivered.items():
            if state.vector is not None:
                oracle.documents[key] = OracleDocument(
                    namespace_key=state.namespace_key, revision=state.revision, text_revision=state.text_revision,
                    vector=state.vector, metadata=state.metadata,
                )  # fmt: skip
        for namespace_key in (1, 2):
            for node in filters:
                self.check(oracle, namespace_key, node)
        live = [state for state in self.delivered.values() if state.vector is not None]
        documents, graph_documents, digest = self.index.tally()
        in_graphs = sum(live for _, is_graph, _, live in self.index.segments() if is_graph)
        kinds = [is_graph for _, is_graph, _, _ in self.index.segments()]
        assert self.index.segment_counts() == (kinds.count(False), kinds.count(True))
        hashes = [document_hash(state.document_key, state.revision, state.text_revision) for state in live]
        assert (documents, graph_documents, digest) == (len(live), in_graphs, sum(hashes) % 2**63)

    def check(self, oracle: ExactIndex, namespace_key: int, node: Filter | None) -> None:
        found = self.index.search(namespace_key, QUERY, spec(4, filter=to_wire(node) if node else ""))
        for query, hits in zip(QUERY, found, strict=True):
            assert list(hits) == oracle.search(namespace_key, query, 4, node)


class WalkingMachine(IndexMachine):
    """Its searches walk graphs, however small, beside flat rows and with dead and stale rows in them. A walk may miss a
    nearer one, but it gives as many hits as there are, and each is a live document that passes, with its true score."""

    def check(self, oracle: ExactIndex, namespace_key: int, node: Filter | None) -> None:
        wanted = spec(4, filter=to_wire(node) if node else "", scan_factor=0.0)
        for query, hits in zip(QUERY, self.index.search(namespace_key, QUERY, wanted), strict=True):
            everything = oracle.search(namespace_key, query, 100, node)
            shown = list(hits)
            assert set(shown) <= set(everything)
            assert len(shown) == len(set(shown)) == min(4, len(everything))
            assert shown == sorted(shown, key=everything.index)

    @rule(vector=st.integers(0, len(VECTORS) - 1))
    def write_many(self, vector: int) -> None:
        for key in range(10, 40):
            revision = self.current[key].revision + 1 if key in self.current else 1
            near = VECTORS[(vector + key) % len(VECTORS)]
            self._write(key, text_revision=revision, vector=near, metadata={"a": key % 3})
        self._deliver(self.history[-30:])

    @rule(first=st.integers(10, 39))
    @precondition(lambda self: 39 in self.current)
    def delete_many(self, first: int) -> None:
        for key in range(first, 40, 2):
            self.delete(key)
        self._deliver(self.history[-15:])

    @rule()
    @precondition(lambda self: self.job is None)
    def build(self) -> None:
        self.begin_build(2.0)
        if self.job:
            self.finish_build()


TestWalkingMachine = WalkingMachine.TestCase
TestWalkingMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestIndexMachine = IndexMachine.TestCase
TestIndexMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
