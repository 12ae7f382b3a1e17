"""A role that is started by itself: the one of the process table, with clear words about what is missing."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from embedding_project.config import ConfigError, read_config
from supervisor.errors import StartError
from supervisor.process import ProcessSpec
from supervisor.roles import KINDS, needed_settings, role_table
from supervisor.single_role import described, main

SERVICE = {
    "DATABASE_URL": "postgresql://x",
    "REDIS_URL": "redis://broker",
    "CACHE_URL": "redis://cache",
    "SECRET_KEY": "s" * 32,
    "API_KEY": "a-key-of-the-service",
    "HOST": "0.0.0.0",
    "API_PROCESSES": "3",
    "EMBED_THREADS": "3",
    "PATH": "/bin",
    "DJANGO_SETTINGS_MODULE": "somebody.elses",
    "ADMIN_PASSWORD": "hidden",
}
PLACES = [
    ("embedder-0", "embedder", 0, {}),
    ("embedder-1", "embedder", 1, {}),
    ("node-s0-r0", "node", 0, {"NODE_SHARD": "0", "NODE_REPLICA": "0"}),
    ("node-s1-r1", "node", 0, {"NODE_SHARD": "1", "NODE_REPLICA": "1"}),
    ("indexer", "indexer", 0, {}),
    ("api", "api", 0, {}),
    ("beat", "beat", 0, {}),
    ("bulk", "bulk", 0, {}),
]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {**SERVICE, "VAR_DIR": str(tmp_path)}


def of_the_table(environ: dict[str, str], name: str) -> ProcessSpec:
    config = replace(read_config(environ), shards=2, replicas=2, embedders=2, bulk=True)
    return next(spec for spec in role_table(config, environ) if spec.name == name)


def test_every_kind_of_role_is_compared() -> None:
    assert {kind for _, kind, _, _ in PLACES} == set(KINDS)


@pytest.mark.parametrize(("name", "kind", "number", "place"), PLACES)
def test_it_is_the_one_of_the_process_table(
    environ: dict[str, str], name: str, kind: str, number: int, place: dict[str, str]
) -> None:
    expected = of_the_table(environ, name)
    found = described(kind, {**environ, **place}, number)
    topology = {"SHARDS": "2", "REPLICAS": "2", "EMBEDDERS": "2", "BULK": "1"}
    assert replace(found, env={**found.env, **topology}) == expected
    assert "PROMETHEUS_MULTIPROC_DIR" not in found.env


@pytest.mark.parametrize("kind", KINDS)
def test_it_needs_what_it_reads_and_nothing_else(environ: dict[str, str], kind: str) -> None:
    needed = needed_settings(kind)
    places = {"NODE_SHARD": "1", "NODE_REPLICA": "0"}
    described(kind, {name: value for name, value in (environ | places).items() if name in needed})
    for name in needed:
        with pytest.raises(ConfigError, match=rf"^configuration:\n  - {name}: not set$"):
            described(kind, {**environ, **places, name: ""})


def test_everything_that_is_missing_or_wrong_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        described("node", {"VAR_DIR": str(tmp_path), "NODE_SHARD": "one", "SNAPSHOT_SECONDS": "-1"})
    named = re.findall(r"^  - (\w+): ", str(caught.value), re.MULTILINE)
    assert named == ["DATABASE_URL", "REDIS_URL", "NODE_SHARD", "NODE_REPLICA", "SNAPSHOT_SECONDS"]


def test_a_running_instance_lends_it_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "instance.json").write_text('{"environment": {"REDIS_URL": "redis://other"}}', encoding="utf-8")
    with pytest.raises(ConfigError, match="REDIS_URL: not set"):
        described("beat", {**environ, "REDIS_URL": ""})


def test_a_secret_may_stand_in_a_file(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("redis://from-a-file\n", encoding="utf-8")
    spec = described("embedder", {**environ, "REDIS_URL": "", "REDIS_URL_FILE": str(file)}, 4)
    assert spec.env["REDIS_URL"] == "redis://from-a-file"


def test_broker_and_cache_on_one_server_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(StartError, match="CACHE_URL is the server of REDIS_URL"):
        described("api", {**environ, "CACHE_URL": SERVICE["REDIS_URL"]})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["embedder"], "an embedder needs its number"),
        (["embedder", "first"], "must be 0 to 1000000"),
        (["api", "2"], "only an embedder has a number"),
        (["beat", "--check"], "a beat cannot be checked"),
        (["worker"], "invalid choice: 'worker'"),
        ([], "required: kind"),
    ],
)
def test_wrong_usage_is_refused(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["role", *arguments])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
