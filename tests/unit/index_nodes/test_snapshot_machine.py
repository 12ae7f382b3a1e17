"""The index machine once more, now also written to disk, read back, and given a suffix of its history again."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from index_nodes.collection import DocumentState, SealRule
from index_nodes.snapshot_load import load_newest
from index_nodes.snapshot_store import SnapshotStore
from index_nodes.version_index import VersionIndex
from tests.unit.index_nodes.snapshots import wanted, write
from tests.unit.index_nodes.test_version_index import DIMENSION, IndexMachine


class SnapshotMachine(IndexMachine):
    """A snapshot's number is how many states of the history were delivered before it."""

    @initialize()
    def begin_without_snapshots(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=self.root))
        self.store = SnapshotStore(self.folder)
        self.seq = 0
        self.contained: dict[int, tuple[dict[int, DocumentState], int]] = {}

    @rule()
    def snapshot(self) -> None:
        self.seq += 1
        write(self.index, self.store, self.seq)
        self.contained[self.seq] = (dict(self.delivered), len(self.history))

    @rule(replayed=st.integers(0, 5))
    @precondition(lambda self: self.contained)
    def reload(self, replayed: int) -> None:
        self.index.close()
        self.job = None
        rules = SealRule(rows=4, quiet_rows=1, quiet_seconds=1.0)
        self.index = VersionIndex(DIMENSION, self.root / f"v{self.now}-{self.seq}-{len(self.history)}-{id(self)}", rules)
        self.store.close()
        self.store = SnapshotStore(self.folder)
        assert load_newest(self.store, wanted(self.seq, dimension=DIMENSION), self.index) == self.seq
        self.delivered, known = dict(self.contained[self.seq][0]), self.contained[self.seq][1]
        self._deliver(self.history[max(0, known - replayed) :])


TestSnapshotMachine = SnapshotMachine.TestCase
TestSnapshotMachine.settings = settings(deadline=None)
