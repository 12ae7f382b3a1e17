"""The index machine once more, now also written to disk, read back, and given a suffix of its history again."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from index_nodes.collection import DocumentState
from index_nodes.snapshot_files import verified
from index_nodes.snapshot_load import restore
from index_nodes.snapshot_store import SnapshotStore
from index_nodes.version_index import VersionIndex
from tests.integration.index_nodes.test_version_index import DIMENSION, IndexMachine
from tests.unit.index_nodes.snapshots import write


class SnapshotMachine(IndexMachine):
    """A snapshot's number is how many states of the history were delivered before it."""

    @initialize()
    def start(self) -> None:
        super().start()
        self.folder = Path(tempfile.mkdtemp(dir=self.root))
        self.store = SnapshotStore(self.folder)
        self.seq, self.loads = 0, 0
        self.contained: dict[int, tuple[dict[int, DocumentState], int]] = {}

    @rule()
    def snapshot(self) -> None:
        self.seq += 1
        write(self.index, self.store, self.seq)
        self.contained[self.seq] = (dict(self.delivered), len(self.history))

    @rule(age=st.integers(0, 2), replayed=st.integers(0, 5))
    @precondition(lambda self: self.contained)
    def reload(self, age: int, replayed: int) -> None:
        self.index.close()
        self.job = None
        self.loads += 1
        self.index = VersionIndex(DIMENSION, self.root / f"load-{self.loads}", self.seal_rule)
        kept = SnapshotStore(self.folder).newest_first()
        folder = kept[min(age, len(kept) - 1)]
        manifest = verified(folder)
        restore(folder, manifest, self.index)
        delivered, known = self.contained[manifest.seq]
        self.delivered = dict(delivered)
        self._deliver(self.history[max(0, known - replayed) :])


TestSnapshotMachine = SnapshotMachine.TestCase
TestSnapshotMachine.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
