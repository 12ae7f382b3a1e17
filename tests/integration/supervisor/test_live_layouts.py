"""A start after documents moved: SHARDS may still be the number of the layout that is kept to go back."""

from pathlib import Path

import httpx

from supervisor.launch import running_instance
from tests.conftest import Service, free_port, outside_environment


def test_the_layout_that_answers_gets_its_nodes_when_shards_is_still_the_old_number(tmp_path: Path) -> None:
    environ = outside_environment(tmp_path) | {"SHARDS": "1", "REPLICAS": "1"}
    with running_instance(var=tmp_path, port=free_port(), environ=environ) as url:
        assert "2 x 1: active" in Service(url, tmp_path).manage("reshard", "run", "--shards", "2")
    with running_instance(var=tmp_path, port=free_port(), environ=environ) as url:
        detail = httpx.get(f"{url}/readyz").json()["checks"]["shards"]["detail"]
    assert detail.count("shard ") == 2
