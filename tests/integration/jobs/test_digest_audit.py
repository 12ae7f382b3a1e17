"""The audit of digests: a replica that holds something else than Postgres is found, and made to load again."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embeddings_app.models import Layout
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.jobs.digest_audit import ASK_AGAIN_SECONDS, audit_digests
from embeddings_app.services.jobs.job import Run
from index_nodes import log_reader
from index_nodes.collection import DocumentState
from index_nodes.log_follower import Follower
from index_nodes.metrics import REBUILDS
from index_nodes.serving import NEVER
from tests.integration.indexing_steps import NAMESPACE, index, put, rows
from tests.integration.test_index_node import SHARD, log_key, ready, served, until, version_key, write

Damage = Callable[[Follower], None]


class Shard:
    """Replicas of one shard, followed by the thread of the test."""

    def __init__(self, database: str, folder: Path, connection: log_reader.Connection) -> None:
        self._database, self._folder, self.connection = database, folder, connection
        self.replicas: list[Follower] = []
        self.progress: dict[str, Any] = {}
        self.now = 1_000_000.0

    def add(self) -> Follower:
        directory = self._folder / f"node-{len(self.replicas)}"
        directory.mkdir()
        self.replicas.append(Follower(self._database, SHARD, len(self.replicas), directory))
        return self.replicas[-1]

    def follow(self) -> None:
        """Until all are ready and have said so."""
        for replica in self.replicas:
            self.hear(replica)
            until(replica, self.connection, partial(self._follows, replica))

    def _follows(self, replica: Follower) -> bool:
        found = rows(
            """
            SELECT state = 'ready' AND applied_seq = head AND heartbeat > now() - interval '2 seconds'
            FROM shard_replica r JOIN shard_counter USING (layout_id, model_version_id, shard)
            WHERE model_version_id = %s AND shard = %s AND replica = %s
            """,
            version_key(),
            SHARD,
            replica._replica,
        )
        return ready(replica) and found == [(True,)]

    def audit(self) -> dict[str, Any]:
        """One run; every replica goes on between its two looks."""
        run = Run(deadline=time.monotonic() + 20.0, progress=self.progress)
        done = audit_digests(run, lambda _: self.follow(), lambda: self.now)
        self.progress = dict(done.progress or {})
        return dict(done.result)

    def hear(self, replica: Follower) -> None:
        """Let the replica send its next heartbeat."""
        replica._heartbeat_at = NEVER
        replica.round(self.connection)


@pytest.fixture
def shard(database: str, tmp_path: Path) -> Iterator[Shard]:
    with log_reader.connect(database, "test-node") as connection:
        yield Shard(database, tmp_path, connection)


@pytest.fixture(params=[1, 2], ids=["one replica", "two replicas"])
def layout_replicas(request: pytest.FixtureRequest, database: str) -> Iterator[int]:
    before = Layout.objects.get().replicas
    Layout.objects.update(replicas=request.param)
    yield request.param
    Layout.objects.update(replicas=before)


def lose_a_document(replica: Follower) -> None:
    """The memory of the node forgets one document."""
    key, namespace, revision = rows(
        "SELECT document_key, namespace_key, revision FROM index_row WHERE shard = %s LIMIT 1", SHARD
    )[0]
    _apply(replica, DocumentState(
        document_key=key, namespace_key=namespace, revision=revision + 1, text_revision=0, vector=None, metadata={}
    ))  # fmt: skip


def hold_a_document_too_many(replica: Follower) -> None:
    (namespace,) = rows("SELECT id FROM namespace LIMIT 1")[0]
    vector = np.eye(1, served(replica).dimension, dtype=np.float32)[0]
    _apply(replica, DocumentState(
        document_key=10**9, namespace_key=namespace, revision=1, text_revision=1, vector=vector, metadata={}
    ))  # fmt: skip


def _apply(replica: Follower, state: DocumentState) -> None:
    served(replica).apply([state], time.monotonic())


def miscount(replica: Follower) -> None:
    served(replica)._tally.digest += 1


def fill() -> None:
    write(*(f"text {number}" for number in range(20)))


def test_replicas_that_hold_what_postgres_holds_are_left_alone(shard: Shard) -> None:
    shard.add(), shard.add()
    fill()
    shard.follow()
    put(("text 1", "another text"), ("new", "text"))
    index()
    put(("text 2", "text 2"), metadata={"a": 1})
    delete(NAMESPACE, "text 3")
    shard.follow()
    assert shard.audit() == {"same": 2, "differ": [], "unsettled": 0, "too_large": []}
    assert rows("SELECT count(*) FROM shard_replica WHERE rebuild_wanted") == [(0,)]


@pytest.mark.usefixtures("layout_replicas")
@pytest.mark.parametrize("damage", [lose_a_document, hold_a_document_too_many, miscount])
def test_a_replica_whose_memory_is_damaged_loads_again_and_is_whole(shard: Shard, damage: Damage) -> None:
    broken, whole = shard.add(), shard.add()
    fill()
    shard.follow()
    damage(broken)
    shard.follow()
    before, kept, rebuilds = served(broken), served(whole), REBUILDS._value.get()
    assert shard.audit()["differ"] == [f"version {version_key()} shard 0 replica 0 loads again"]
    shard.hear(broken)
    assert rows("SELECT count(*) FROM shard_replica WHERE rebuild_wanted") == [(0,)]
    shard.follow()
    assert served(broken) is not before
    assert served(whole) is kept
    assert REBUILDS._value.get() == rebuilds + 1
    assert shard.audit() == {"same": 2, "differ": [], "unsettled": 0, "too_large": []}


def test_of_the_replicas_of_a_shard_one_at_a_time_loads_again(shard: Shard) -> None:
    first, second = shard.add(), shard.add()
    fill()
    shard.follow()
    miscount(first), lose_a_document(second)
    shard.follow()
    assert [said.partition("shard 0 replica ")[2] for said in shard.audit()["differ"]] == [
        "0 loads again",
        "1 waits until another replica answers",
    ]
    shard.hear(first)
    # The first loads; the second is the only one that answers.
    assert shard.audit()["differ"] == [f"version {version_key()} shard 0 replica 1 loads again"]


def test_the_wish_outlives_a_restart_of_the_node(shard: Shard, database: str, tmp_path: Path) -> None:
    broken, _ = shard.add(), shard.add()
    fill()
    shard.follow()
    lose_a_document(broken)
    shard.follow()
    shard.audit()
    (tmp_path / "again").mkdir()
    restarted = shard.replicas[0] = Follower(database, SHARD, 0, tmp_path / "again")
    shard.follow()
    shard.hear(restarted)
    shard.follow()
    assert rows("SELECT count(*) FROM shard_replica WHERE rebuild_wanted") == [(0,)]
    assert shard.audit()["same"] == 2


def test_a_replica_that_differs_at_one_look_only_is_left_alone(shard: Shard) -> None:
    broken = shard.add()
    fill()
    shard.follow()
    miscount(broken)
    shard.follow()
    broken.serving.versions[log_key(version_key())].index._tally.digest -= 1
    assert shard.audit()["differ"] == []


def test_one_that_loaded_again_without_effect_is_reported_and_not_asked_for_some_hours(shard: Shard) -> None:
    shard.add(), shard.add()
    fill()
    rows("UPDATE embedding_vector SET vector = '' WHERE document_id = (SELECT min(document_key) FROM index_row"
         " WHERE shard = %s) RETURNING 1", SHARD)  # fmt: skip
    shard.follow()
    said = []
    for later in (0.0, 60.0, ASK_AGAIN_SECONDS):
        shard.now += later
        said.append([each.partition("shard 0 replica ")[2] for each in shard.audit()["differ"]])
        shard.follow()
        for replica in shard.replicas:
            shard.hear(replica)
        shard.follow()
    assert said == [
        ["0 loads again", "1 waits until another replica answers"],
        ["0 has loaded again without effect", "1 loads again"],
        ["0 loads again", "1 waits until another replica answers"],
    ]


def test_a_shard_with_a_text_on_its_way_is_not_compared(shard: Shard) -> None:
    shard.add()
    fill()
    shard.follow()
    put(*((f"text {number}", f"another text {number}") for number in range(20)))
    assert shard.audit() == {"same": 0, "differ": [], "unsettled": 1, "too_large": []}
    index()
    shard.follow()
    assert shard.audit()["same"] == 1


def test_a_replica_that_lags_or_is_silent_is_not_compared(shard: Shard) -> None:
    shard.add()
    fill()
    shard.follow()
    write("late 1", "late 2", "late 3", "late 4", "late 5")
    assert shard.audit()["same"] == 0
    shard.follow()
    rows("UPDATE shard_replica SET heartbeat = now() - interval '1 minute' RETURNING 1")
    assert shard.audit()["same"] == 0


def test_a_version_that_takes_too_long_is_said_and_the_next_run_begins_behind_it(shard: Shard) -> None:
    shard.add()
    fill()
    shard.follow()
    done = audit_digests(Run(deadline=0.0))
    assert done.result["too_large"] == ["all-MiniLM-L6-v2 v1"]
    assert done.progress == {"after": version_key(), "asked": {}}
