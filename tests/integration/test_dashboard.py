"""The dashboard with something out of reach: it says so, in bounded time, and shows the rest."""

from collections.abc import Iterator

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from embedding_project.broker.redis_clients import broker_client
from embeddings_app.admin import dashboard_numbers
from embeddings_app.services.operating import service_state
from tests.conftest import free_port
from tests.integration import indexing_steps as steps

NUMBERS = "/admin/dashboard.json"


@pytest.fixture(autouse=True)
def _nothing_remembered(fresh_state: None) -> None:
    dashboard_numbers._numbers.clear()


@pytest.fixture
def admin(database: str) -> Iterator[Client]:
    client = Client(SERVER_NAME="localhost")
    user, _ = get_user_model().objects.get_or_create(username="watcher", is_staff=True)
    client.force_login(user)
    yield client
    user.delete()


def tiles(client: Client) -> dict[str, str]:
    response = client.get(NUMBERS)
    assert response.status_code == 200
    return {name: tile["text"] for name, tile in response.json()["tiles"].items()}


def test_waiting_work_is_counted(admin: Client) -> None:
    steps.put(("a", "one"), ("b", "two"))
    shown = tiles(admin)
    assert (shown["pending"], shown["quarantined"], shown["replicas"]) == ("2", "0", "0 of 4")


def test_replicas_beyond_those_expected_are_counted_apart(admin: Client) -> None:
    steps.rows(
        """
        INSERT INTO shard_replica (layout_id, model_version_id, shard, replica, epoch, applied_seq, state, digest,
                                   documents, graph_documents, heartbeat)
        SELECT l.id, v.id, 0, replica, e.epoch, 0, 'ready', 0, 0, 0, now()
        FROM layout l, model_registry v, log_epoch e, generate_series(0, 3) AS replica
        WHERE v.status = 'active' RETURNING id
        """
    )
    assert tiles(admin)["replicas"] == "2 of 4, 2 more"


@pytest.mark.parametrize(
    ("ready", "shown"), [([1, 1], "2 of 2"), ([2, 0], "1 of 2, 1 more"), ([2], "1 of 2, 1 more"), ([], "0 of 2")]
)
def test_one_replica_too_many_stands_for_none_of_another_shard(ready: list[int], shown: str) -> None:
    assert str(service_state.count_replicas(ready, shards=2, replicas=1)) == shown


def test_queues_are_unknown_without_the_broker_and_the_rest_is_shown(database: str) -> None:
    nobody = broker_client(f"redis://127.0.0.1:{free_port()}/0", timeout_seconds=0.2)
    stored = service_state.stored_state()
    lengths = service_state._asked(lambda: service_state._ask_broker(nobody, stored)).answer
    shown = dashboard_numbers.state_tiles(stored, service_state.waiting_work(), lengths)
    assert {name: tile["text"] for name, tile in shown.items()} == {
        "queued": "unknown",
        "pending": "0",
        "quarantined": "0",
        "replicas": "0 of 4",
    }


def test_queues_are_unknown_without_postgres(database: str) -> None:
    shown = dashboard_numbers.state_tiles(None, None, service_state.queues())
    assert {tile["text"] for tile in shown.values()} == {"unknown"}


def test_the_page_of_queues_says_what_each_is_for(admin: Client) -> None:
    page = admin.get("/admin/operations/").content.decode()
    for purpose in ("texts to embed, interactive", "hints to the indexer", "searches of all-MiniLM-L6-v2 v1, shard 1"):
        assert purpose in page
    assert "unknown</td>" not in page


def test_work_is_unknown_while_its_table_cannot_be_read(admin: Client, database: str) -> None:
    with psycopg.connect(database) as blocker:
        blocker.execute("LOCK TABLE embedding_record IN ACCESS EXCLUSIVE MODE")
        shown = tiles(admin)
    assert (shown["pending"], shown["quarantined"], shown["replicas"]) == ("unknown", "unknown", "0 of 4")


def test_numbers_are_for_those_who_may_open_the_admin(database: str) -> None:
    client = Client(SERVER_NAME="localhost")
    assert client.get(NUMBERS).status_code == 403
    user = get_user_model().objects.create(username="outsider")
    client.force_login(user)
    assert client.get(NUMBERS).status_code == 403
    user.delete()


def test_audit_events_are_for_those_who_may_see_them(admin: Client) -> None:
    assert "Last changes" not in admin.get("/admin/").content.decode()


def test_pages_of_the_admin_load_nothing_from_elsewhere(admin: Client) -> None:
    policy = admin.get("/admin/").headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert admin.get("/healthz").headers["Content-Security-Policy"].startswith("default-src 'none'")
