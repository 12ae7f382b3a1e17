"""A start after documents moved: SHARDS may still be the number of the layout that is kept to go back."""

from pathlib import Path

import httpx

from embeddings_app.models import Layout, LayoutStatus
from embeddings_app.records.topology import read_topology
from supervisor.launch import running_instance
from supervisor.live_shards import LiveShards
from tests.conftest import Service, free_port, outside_environment


def test_the_layout_that_answers_gets_its_nodes_when_shards_is_still_the_old_number(tmp_path: Path) -> None:
    environ = outside_environment(tmp_path) | {"SHARDS": "1", "REPLICAS": "1"}
    with running_instance(var=tmp_path, port=free_port(), environ=environ) as url:
        assert "2 x 1: active" in Service(url, tmp_path).manage("reshard", "run", "--shards", "2")
    with running_instance(var=tmp_path, port=free_port(), environ=environ) as url:
        detail = httpx.get(f"{url}/readyz", timeout=30.0).json()["checks"]["shards"]["detail"]
    assert detail.count("shard ") == 2


def test_nodes_follow_the_live_layouts_up_and_down_whatever_shards_says(database: str) -> None:
    times = iter(range(0, 100, 5))
    live, active = LiveShards(database, 64, lambda: float(next(times))), read_topology().shards
    building = Layout.objects.create(shards=active + 3, status=LayoutStatus.BUILDING)
    try:
        assert live.count() == active + 3
        Layout.objects.filter(pk=building.pk).update(status=LayoutStatus.RETIRED)
        assert live.count() == active
    finally:
        building.delete()


def test_what_postgres_said_last_counts_while_it_is_away() -> None:
    assert LiveShards("postgresql://127.0.0.1:1/none", 3).count() == 3
