"""The process table: who runs, with which queues and which environment."""

from dataclasses import replace
from pathlib import Path

import pytest

from embedding_project.config import Config, read_config
from supervisor.process import ProcessSpec
from supervisor.roles import database_connections, environment, management, role_table

INHERITED = {
    "PATH": "/bin",
    "DJANGO_SETTINGS_MODULE": "somebody.elses",
    "EMBED_THREADS": "3",
    "ADMIN_PASSWORD": "hidden",
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return read_config(
        {
            "DATABASE_URL": "postgresql://x",
            "REDIS_URL": "redis://broker",
            "CACHE_URL": "redis://cache",
            "SECRET_KEY": "s" * 32,
            "VAR_DIR": str(tmp_path),
            "SHARDS": "2",
            "REPLICAS": "2",
            "EMBEDDERS": "2",
            "EMBED_THREADS": "3",
            "METRICS_DIR": str(tmp_path / "metrics"),
            "ALLOWED_HOSTS": "one.example, two.example",
        }
    )


@pytest.fixture
def table(config: Config) -> dict[str, ProcessSpec]:
    return {spec.name: spec for spec in role_table(config, INHERITED)}


def test_one_process_for_each_replica_and_embedder(table: dict[str, ProcessSpec]) -> None:
    nodes = ["node-s0-r0", "node-s0-r1", "node-s1-r0", "node-s1-r1"]
    assert list(table) == ["embedder-0", "embedder-1", *nodes, "indexer", "api", "beat"]


def test_beats_beside_the_first_have_names_of_their_own(config: Config) -> None:
    names = [spec.name for spec in role_table(replace(config, beats=3), INHERITED)]
    assert names[-3:] == ["beat", "beat-1", "beat-2"]


def test_each_node_knows_its_shard_and_has_a_queue_of_its_own(table: dict[str, ProcessSpec]) -> None:
    node = table["node-s1-r0"]
    assert (node.env["NODE_SHARD"], node.env["NODE_REPLICA"]) == ("1", "0")
    assert "search.ctl.s1.r0" in node.argv
    assert node.env["OMP_NUM_THREADS"] == "1"


def test_only_django_roles_find_the_settings(table: dict[str, ProcessSpec]) -> None:
    with_settings = {name for name, spec in table.items() if "DJANGO_SETTINGS_MODULE" in spec.env}
    assert with_settings == {"indexer", "api", "beat"}
    assert table["api"].env["DJANGO_SETTINGS_MODULE"] == "embedding_project.settings"


def test_every_role_can_read_its_configuration_back(table: dict[str, ProcessSpec], config: Config) -> None:
    assert read_config(table["api"].env) == replace(config, role="api")
    for name in ("indexer", "embedder-0", "node-s0-r0", "beat"):
        assert read_config(table[name].env).redis_url == config.redis_url


@pytest.mark.parametrize(
    ("role", "withheld"),
    [
        ("embedder-0", {"SECRET_KEY", "API_KEY", "DATABASE_URL"}),
        ("node-s0-r0", {"SECRET_KEY", "API_KEY", "CACHE_URL"}),
        ("indexer", {"API_KEY"}),
        ("beat", {"API_KEY"}),
        ("api", set()),
    ],
)
def test_a_role_gets_no_secret_that_it_does_not_read(config: Config, role: str, withheld: set[str]) -> None:
    secrets = {"SECRET_KEY", "API_KEY", "DATABASE_URL", "CACHE_URL"}
    files = {f"{name}_FILE": "/run/secrets/one" for name in secrets}
    table = role_table(replace(config, api_key="a-key-of-the-service"), {**INHERITED, **files})
    env = next(spec.env for spec in table if spec.name == role)
    assert secrets - set(env) == withheld
    assert {f"{name}_FILE" for name in withheld}.isdisjoint(env)


def test_secrets_never_stand_on_a_command_line(table: dict[str, ProcessSpec], config: Config) -> None:
    words = [word for spec in table.values() for word in spec.argv]
    assert not any(config.secret_key in word or config.redis_url in word for word in words)


def test_no_role_is_told_the_admin_password(table: dict[str, ProcessSpec], config: Config) -> None:
    assert not any("ADMIN_PASSWORD" in spec.env for spec in table.values())
    assert "ADMIN_PASSWORD" not in environment(replace(config, admin_password="hidden"))


def test_the_api_takes_more_connections_than_threads(table: dict[str, ProcessSpec], config: Config) -> None:
    argv = table["api"].argv
    assert int(argv[argv.index("--backpressure") + 1]) > config.api_threads


def test_metrics_are_shared_through_the_directory_prometheus_knows(table: dict[str, ProcessSpec]) -> None:
    assert all(spec.env["PROMETHEUS_MULTIPROC_DIR"] == spec.env["METRICS_DIR"] for spec in table.values())


def test_roles_of_an_instance_do_not_fight_over_one_port(config: Config) -> None:
    table = role_table(replace(config, metrics_port=9100), {**INHERITED, "METRICS_PORT": "9100"})
    assert {spec.env["METRICS_PORT"] for spec in table} == {"0"}


def test_only_embedders_start_before_the_database_is_ready(table: dict[str, ProcessSpec]) -> None:
    first = [name for name, spec in table.items() if "DATABASE_URL" not in spec.env]
    assert first == ["embedder-0", "embedder-1"] == list(table)[:2]


def test_a_management_command_gets_django_and_its_own_variables(config: Config) -> None:
    spec = management("bootstrap --migrate", config, INHERITED, ADMIN_PASSWORD="hidden")
    assert (spec.name, spec.argv[1:]) == ("bootstrap", ("manage.py", "bootstrap", "--migrate"))
    assert spec.env["ADMIN_PASSWORD"] == "hidden"
    assert spec.env["DJANGO_SETTINGS_MODULE"] == "embedding_project.settings"


def test_the_instance_environment_leaves_out_what_belongs_to_one_node(config: Config) -> None:
    assert not {"NODE_SHARD", "NODE_REPLICA"} & set(environment(config))


def test_every_thread_that_may_ask_postgres_has_a_connection(config: Config) -> None:
    more = replace(config, api_processes=6, shards=3)
    argv = next(spec.argv for spec in role_table(more, INHERITED) if spec.name == "api")
    threads = int(argv[argv.index("--blocking-threads") + 1])
    assert database_connections(config) > threads
    assert database_connections(more) - database_connections(config) >= 5 * threads + 2
