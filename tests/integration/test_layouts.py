"""A second layout beside the one that answers: filled by nodes, written by all, switched to, gone back to, dropped."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.db import connection as django_connection
from django.db import transaction
from django.utils import timezone

from embedding_project.contracts.errors import ServiceError
from embeddings_app.models import BulkJob, BulkState, BulkWish, Layout, LayoutStatus
from embeddings_app.records.layout_progress import log_progress
from embeddings_app.records.topology import heads, read_topology, writable_layouts
from embeddings_app.services import topology
from embeddings_app.services.bulk.jobs import after_failure, move, target_spec, want
from embeddings_app.services.documents import positions
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.layouts.changing import active_layout, drop, pause, start, switch
from embeddings_app.services.layouts.clearing import clear_retired, drop_outlived
from embeddings_app.services.operating.installation import LayoutDiffers, install
from index_nodes.load_turn import LOAD_TURN_FILE
from index_nodes.serving import LogKey
from index_nodes.version_index import VersionIndex
from index_nodes.version_replica import LoadPace
from tests.integration.bulk_loads import external_model
from tests.integration.bulk_steps import made_job
from tests.integration.indexing_steps import NAMESPACE, in_thread, index, put, rows
from tests.integration.layout_nodes import Nodes
from tests.integration.shard_digests import shard_digest
from tests.integration.test_index_node import version_key

SHARDS, ACTOR = 3, "test"


@pytest.fixture
def nodes(database: str, tmp_path: Path) -> Iterator[Nodes]:
    with ExitStack() as connections:
        yield Nodes(database, tmp_path, SHARDS, connections)


@pytest.fixture(autouse=True)
def first_layout(database: str) -> Iterator[int]:
    """The layout of the tests; afterwards it is the only one again."""
    first = read_topology().layout
    topology.forget_cached()
    yield first
    BulkJob.objects.all().delete()
    Layout.objects.exclude(pk=first).delete()
    Layout.objects.filter(pk=first).update(status=LayoutStatus.ACTIVE, kept_until=None)
    topology.forget_cached()


def is_ready(layout: Layout) -> bool:
    logs = log_progress(layout.pk)
    return bool(logs) and all(log.is_ready for log in logs)


def fill(*texts: str) -> None:
    put(*((text, text) for text in texts))
    index()


def entries(layout: Layout) -> int:
    found: int = rows("SELECT count(*) FROM shard_change WHERE layout_id = %s", layout.pk)[0][0]
    return found


def refused(work: Callable[[], object]) -> str:
    with pytest.raises(ServiceError) as caught:
        work()
    assert caught.value.code == "illegal_step"
    return caught.value.message


def test_nodes_fill_a_second_layout_from_what_was_there_and_follow_both(nodes: Nodes, first_layout: int) -> None:
    fill(*(f"early {number}" for number in range(40)))
    layout = start(SHARDS, ACTOR)
    fill(*(f"late {number}" for number in range(20)))
    put(("early 1", "another text"))
    index()
    delete(NAMESPACE, "early 2")
    nodes.until(lambda: is_ready(layout))
    nodes.until(lambda: is_ready(Layout.objects.get(pk=first_layout)))
    nodes.hold(layout.pk, SHARDS)
    nodes.hold(first_layout, read_topology().shards)


def test_a_switch_leads_there_and_back_and_writes_reach_both(nodes: Nodes, first_layout: int) -> None:
    fill(*(f"d{number}" for number in range(20)))
    layout = start(SHARDS, ACTOR)
    nodes.until(lambda: is_ready(layout))
    switch(ACTOR)
    assert (read_topology().layout, read_topology().shards) == (layout.pk, SHARDS)
    before = Layout.objects.get(pk=first_layout)
    assert before.status == LayoutStatus.STANDBY
    assert before.kept_until is not None
    written = entries(before)
    fill("written after the switch")
    assert entries(before) == written + 1
    nodes.until(lambda: is_ready(before) and is_ready(layout))
    nodes.hold(first_layout, before.shards)
    switch(ACTOR)
    assert read_topology().layout == first_layout
    assert Layout.objects.get(pk=layout.pk).status == LayoutStatus.STANDBY


def test_a_layout_that_nodes_do_not_hold_cannot_answer(nodes: Nodes) -> None:
    fill("a", "b", "c")
    assert "no layout that is" in refused(lambda: switch(ACTOR))
    layout = start(SHARDS, ACTOR)
    assert "no node answers for shard 0" in refused(lambda: switch(ACTOR))
    nodes.followers.pop()
    nodes.until(lambda: sum(log.ready > 0 for log in log_progress(layout.pk)) == SHARDS - 1)
    assert f"no node answers for shard {SHARDS - 1}" in refused(lambda: switch(ACTOR))


def test_only_one_layout_is_built_and_not_beside_a_bulk_job(database: str) -> None:
    assert "already" in refused(lambda: start(read_topology().shards, ACTOR))
    layout = start(SHARDS, ACTOR)
    assert "go on with it" in refused(lambda: start(SHARDS + 1, ACTOR))
    drop(ACTOR)
    assert Layout.objects.get(pk=layout.pk).status == LayoutStatus.RETIRED
    job = made_job()
    assert f"bulk job {job.pk} is planned: wait for its end" in refused(lambda: start(SHARDS, ACTOR))
    move(job, BulkState.FAILED, error="no such file")
    start(SHARDS, ACTOR)


def test_a_bulk_job_that_failed_goes_on_when_there_is_one_layout_again(database: str) -> None:
    job = made_job()
    move(job, BulkState.FAILED, error="no such file")
    start(SHARDS, ACTOR)
    for go_on in (lambda: want(job, BulkWish.RUN, ACTOR), lambda: after_failure(job)):
        assert "another number of shards" in refused(go_on)
    assert BulkJob.objects.get().state == BulkState.FAILED
    drop(ACTOR)
    want(job, BulkWish.RUN, ACTOR)
    assert BulkJob.objects.get().state == BulkState.QUEUED


def test_a_bulk_job_that_failed_can_be_aborted_beside_a_second_layout(database: str) -> None:
    job = made_job()
    move(job, BulkState.FAILED, error="no such file")
    start(SHARDS, ACTOR)
    want(job, BulkWish.ABORT, ACTOR)


def test_no_bulk_job_begins_beside_a_second_layout(database: str) -> None:
    with external_model() as version:
        start(SHARDS, ACTOR)
        assert "another number of shards" in refused(lambda: target_spec("bulk", version.model_id))


@pytest.mark.parametrize("shards", [0, 1_025, -1])
def test_a_number_of_shards_beyond_the_limit_is_refused(database: str, shards: int) -> None:
    with pytest.raises(ServiceError) as caught:
        start(shards, ACTOR)
    assert caught.value.code == "invalid_value"


def test_a_paused_layout_is_not_loaded_until_it_goes_on(nodes: Nodes) -> None:
    fill(*(f"d{number}" for number in range(20)))
    layout = start(SHARDS, ACTOR)
    pause(ACTOR, paused=True)
    for _ in range(20):
        for follower, connection in nodes.followers:
            follower.round(connection)
    assert not any(log.replicas for log in log_progress(layout.pk))
    fill("written while it rests")
    pause(ACTOR, paused=False)
    nodes.until(lambda: is_ready(layout))
    nodes.hold(layout.pk, SHARDS)


def paced_nodes(database: str, folder: Path, connections: ExitStack, pace: LoadPace) -> Nodes:
    """That hold the first layout."""
    nodes = Nodes(database, folder, SHARDS, connections, pace)
    nodes.until(lambda: is_ready(active_layout()))
    return nodes


def test_loads_that_no_search_waits_for_go_one_after_the_other(database: str, tmp_path: Path) -> None:
    fill(*(f"d{number}" for number in range(40)))
    with ExitStack() as connections:
        nodes = paced_nodes(database, tmp_path, connections, LoadPace(spare_rows=1, spare_share=1.0))
        layout = start(SHARDS, ACTOR)
        wanted = [shard_digest(layout.pk, version_key(), shard).documents for shard in range(SHARDS)]
        begun = set()

        def is_loaded() -> bool:
            loaded = nodes.loaded(layout)
            halfway = {shard for shard in range(SHARDS) if 0 < loaded[shard] < wanted[shard]}
            assert len(halfway) <= 1
            begun.update(halfway)
            return loaded == wanted

        nodes.until(is_loaded)
        assert begun == set(range(SHARDS))


def test_a_layout_is_loaded_where_nobody_can_lock_the_file_of_turns(database: str, tmp_path: Path) -> None:
    fill("a", "b", "c")
    (tmp_path / LOAD_TURN_FILE).mkdir()
    with ExitStack() as connections:
        nodes = paced_nodes(database, tmp_path, connections, LoadPace(turn_seconds=0.5))
        layout = start(SHARDS, ACTOR)
        nodes.until(lambda: is_ready(layout))
        nodes.hold(layout.pk, SHARDS)


def test_a_load_rests_after_each_piece_until_its_layout_answers(
    database: str, tmp_path: Path, first_layout: int
) -> None:
    fill(*(f"d{number}" for number in range(40)))
    pace = LoadPace(spare_rows=2, spare_share=1e-9, turn_seconds=0)
    with ExitStack() as connections:
        nodes = paced_nodes(database, tmp_path, connections, pace)
        layout = start(SHARDS, ACTOR)
        nodes.until(lambda: min(nodes.loaded(layout)) > 0)
        for _ in range(20):
            nodes.round()
        assert nodes.loaded(layout) == [2] * SHARDS
        Layout.objects.filter(pk=first_layout).update(status=LayoutStatus.STANDBY)
        Layout.objects.filter(pk=layout.pk).update(status=LayoutStatus.ACTIVE)
        nodes.until(lambda: is_ready(layout))
        nodes.hold(layout.pk, SHARDS)


def test_builds_of_a_layout_stand_back_until_it_answers(nodes: Nodes) -> None:
    fill("a", "b", "c")
    layout, follower = start(SHARDS, ACTOR), nodes.followers[0][0]
    nodes.until(lambda: is_ready(layout) and is_ready(active_layout()))

    def index_of(layout: Layout) -> VersionIndex:
        return follower.serving.versions[LogKey(layout.pk, version_key())].index

    before = active_layout()
    assert follower.needed_indexes() == [index_of(before)]
    assert follower.spare_indexes() == [index_of(layout)]
    switch(ACTOR)
    nodes.round()
    assert follower.needed_indexes() == [index_of(layout)]
    assert follower.spare_indexes() == [index_of(before)]


@pytest.mark.parametrize(
    ("in_graphs", "unbuilt", "built"),
    [
        (0, 8_192, 1),
        (0, 8_193, 0),
        (20_000, 20_480, 1),
        (20_000, 20_481, 0),
        (99_000, 32_768, 1),
        (99_000, 32_769, 0),
    ],
)
def test_graphs_of_an_older_node_are_built_when_few_documents_are_in_none(
    nodes: Nodes, in_graphs: int, unbuilt: int, built: int
) -> None:
    fill("a", "b", "c")
    layout = start(SHARDS, ACTOR)
    nodes.until(lambda: is_ready(layout))
    assert [log.built for log in log_progress(layout.pk)] == [1] * SHARDS
    rows(
        """
        UPDATE shard_replica SET documents = %s, graph_documents = %s, unbuilt_documents = %s, overdue_namespaces = NULL
        RETURNING 1
        """,
        *(in_graphs + unbuilt, in_graphs, unbuilt),
    )
    assert [(log.ready, log.built) for log in log_progress(layout.pk)] == [(1, built)] * SHARDS


def test_graphs_are_built_when_no_build_is_due_in_any_namespace(nodes: Nodes) -> None:
    """A large namespace in graphs says nothing of a small one that is not."""
    fill("a", "b", "c")
    layout = start(SHARDS, ACTOR)
    nodes.until(lambda: is_ready(layout))
    rows(
        """
        UPDATE shard_replica SET documents = 99000, graph_documents = 90000, unbuilt_documents = 9000,
                                 overdue_namespaces = 1
        RETURNING 1
        """
    )
    assert [(log.ready, log.built) for log in log_progress(layout.pk)] == [(1, 0)] * SHARDS
    rows("UPDATE shard_replica SET overdue_namespaces = 0 RETURNING 1")
    assert [(log.ready, log.built) for log in log_progress(layout.pk)] == [(1, 1)] * SHARDS


def test_a_dropped_layout_leaves_nodes_and_logs(nodes: Nodes) -> None:
    layout = start(SHARDS, ACTOR)
    fill(*(f"d{number}" for number in range(20)))
    nodes.until(lambda: is_ready(layout))
    drop(ACTOR)
    fill("written afterwards")
    assert entries(layout) == 20
    for follower, connection in nodes.followers:
        follower.round(connection)
        assert all(key.layout != layout.pk for key in follower.serving.versions)
    assert clear_retired(30, {}).layouts == 1
    assert entries(layout) == 0
    assert rows("SELECT 1 FROM shard_counter WHERE layout_id = %s", layout.pk) == []
    assert clear_retired(30, {}).layouts == 0


def test_entries_that_name_tombstones_are_looked_at_once_and_left_to_trimming(database: str) -> None:
    layout = start(SHARDS, ACTOR)
    fill(*(f"d{number}" for number in range(20)))
    for number in range(20):
        delete(NAMESPACE, f"d{number}")
    drop(ACTOR)
    found = heads(layout.pk, version_key(), range(SHARDS))
    reached = {f"{layout.pk}/{version_key()}/{shard}": head for shard, head in found.items()}
    first = clear_retired(30, {})
    named = entries(layout)
    assert named >= 20
    assert first.reached.items() >= reached.items()
    # Were they looked at again, they would go now.
    rows("UPDATE document SET deleted = false RETURNING 1")
    assert clear_retired(30, first.reached) == first
    assert entries(layout) == named
    assert clear_retired(0, {}).layouts == 0, "what there was no time for is not left to trimming"
    rows("DELETE FROM shard_change WHERE layout_id = %s RETURNING 1", layout.pk)
    clear_retired(30, first.reached)
    assert clear_retired(30, first.reached).reached == {}
    assert rows("SELECT 1 FROM shard_counter WHERE layout_id = %s", layout.pk) == []


def test_a_log_that_cannot_be_emptied_keeps_no_other_waiting(database: str) -> None:
    layout = start(SHARDS, ACTOR)
    fill(*(f"d{number}" for number in range(20)))
    drop(ACTOR)
    with psycopg.connect(database) as other:
        other.execute("SELECT 1 FROM shard_change WHERE layout_id = %s AND shard = 0 FOR UPDATE", [layout.pk])
        with django_connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = 50")
        done = clear_retired(30, {})
        django_connection.close()
    assert (done.problem, done.layouts) == ("busy", 0)
    assert rows("SELECT DISTINCT shard FROM shard_change WHERE layout_id = %s", layout.pk) == [(0,)]
    assert clear_retired(30, done.reached).layouts == 1


def test_the_layout_before_goes_by_itself_when_its_time_is_over(nodes: Nodes, first_layout: int) -> None:
    layout = start(SHARDS, ACTOR)
    nodes.until(lambda: is_ready(layout))
    switch(ACTOR)
    assert drop_outlived(ACTOR) == 0
    Layout.objects.filter(pk=first_layout).update(kept_until=timezone.now() - timedelta(seconds=1))
    assert drop_outlived(ACTOR) == 1
    assert Layout.objects.get(pk=first_layout).status == LayoutStatus.RETIRED


def test_a_write_under_way_is_either_waited_for_or_in_both_logs(nodes: Nodes) -> None:
    """A writer that read the layouts before the second one was there must not commit behind the nodes' backs."""
    fill("before")
    began = threading.Event()
    with transaction.atomic():
        assert len(writable_layouts()) == 1
        starting = threading.Thread(target=lambda: in_thread(lambda: (began.set(), start(SHARDS, ACTOR))))
        starting.start()
        assert began.wait(60)
        time.sleep(0.3)
        with django_connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM layout")
            assert cursor.fetchone() == (1,), "the layout came although a writer was under way"
    starting.join(60)
    assert Layout.objects.filter(status=LayoutStatus.BUILDING).count() == 1


def test_a_token_of_the_layout_before_holds_until_that_is_dropped(nodes: Nodes, first_layout: int) -> None:
    fill(*(f"d{number}" for number in range(10)))
    token = positions.encode(positions.newest(read_topology(), version_key()))
    layout = start(SHARDS, ACTOR)
    nodes.until(lambda: is_ready(layout))
    switch(ACTOR)
    found = positions.decode(token, read_topology(), version_key())
    assert (found.layout, found.seqs) == (layout.pk, heads(layout.pk, version_key(), range(SHARDS)))
    drop(ACTOR)
    with pytest.raises(ServiceError) as caught:
        positions.decode(token, read_topology(), version_key())
    assert caught.value.code == "token_expired"


def test_a_start_takes_the_shards_of_any_live_layout(nodes: Nodes) -> None:
    shards, replicas = read_topology().shards, read_topology().replicas
    with pytest.raises(LayoutDiffers, match=f"reshard run --shards {SHARDS}"):
        install(shards=SHARDS, replicas=replicas, admin_password="")
    start(SHARDS, ACTOR)
    for accepted in (shards, SHARDS):
        assert not install(shards=accepted, replicas=replicas, admin_password="")
