"""Whatever the files in `deploy/` start is a command that exists, with settings that exist, and all that it needs."""

import re

import pytest

from embedding_project.config import SETTINGS
from supervisor.commands import GROUPS
from supervisor.roles import KINDS, needed_settings
from tests.unit.deploy.started import Started, of_compose, of_kubernetes, of_systemd

CONTAINERS = [*of_compose(), *of_kubernetes()]
STARTED = [*CONTAINERS, *of_systemd()]
NEEDED_BY_SOME = {name for name, one in SETTINGS.items() if one.needed}
ADDED = {"POD_IP", "POD_INDEX", "PYTHONDONTWRITEBYTECODE"}
"""Variables that are no setting: what Kubernetes says of a pod, for use in other values, and one of Python."""
IMAGES = {"api": "web", "indexer": "web", "beat": "web", "embedder": "embedder", "node": "node", "bulk": "bulk"}
COMMAND_IMAGES = {"bulk_ingest": "spark"}
"""Of containers that run another command than a role."""


def kind_of(one: Started) -> str:
    return one.command[1] if one.command[0] == "role" else ""


@pytest.mark.parametrize("one", STARTED, ids=lambda one: one.where)
def test_the_command_exists(one: Started) -> None:
    if kind_of(one):
        assert kind_of(one) in KINDS
        assert len(one.command) == (3 if kind_of(one) == "embedder" else 2)
    else:
        assert one.command[0] in {name for commands in GROUPS.values() for name in commands}


@pytest.mark.parametrize(
    "started", [of_compose(), of_kubernetes(), of_systemd()], ids=["compose", "kubernetes", "systemd"]
)
def test_each_way_starts_every_kind_of_role(started: list[Started]) -> None:
    assert {kind_of(one) for one in started} - {""} == set(KINDS)


@pytest.mark.parametrize("one", STARTED, ids=lambda one: one.where)
def test_every_variable_is_a_setting(one: Started) -> None:
    assert set(one.variables) - ADDED <= set(SETTINGS)
    for name in set(one.variables) & set(SETTINGS):
        value, complaints = one.variables[name], list[str]()
        if value and "$" not in value and value != "from elsewhere":
            SETTINGS[name].kind(value, complaints.append)
        assert complaints == []


@pytest.mark.parametrize("one", CONTAINERS, ids=lambda one: one.where)
def test_a_container_has_what_it_needs_and_no_secret_beside(one: Started) -> None:
    needed = needed_settings(kind_of(one)) if kind_of(one) else NEEDED_BY_SOME
    assert needed <= set(one.variables)
    assert NEEDED_BY_SOME & set(one.variables) <= needed
    assert ("API_KEY" in one.variables) == (kind_of(one) == "api" or one.command[0] == "bootstrap")


@pytest.mark.parametrize("one", CONTAINERS, ids=lambda one: one.where)
def test_a_role_runs_in_the_image_that_is_made_for_it(one: Started) -> None:
    assert one.image == (IMAGES[kind_of(one)] if kind_of(one) else COMMAND_IMAGES.get(one.command[0], "web"))


@pytest.mark.parametrize("started", [of_compose(), of_kubernetes()], ids=["compose", "kubernetes"])
def test_there_is_a_node_for_every_shard(started: list[Started]) -> None:
    shards = {one.variables["NODE_SHARD"] for one in started if kind_of(one) == "node"}
    bootstrap = next(one for one in started if one.command[0] == "bootstrap")
    assert shards == {str(number) for number in range(int(bootstrap.variables["SHARDS"]))}


def test_no_secret_stands_in_a_file() -> None:
    secrets = {name for name, one in SETTINGS.items() if one.secret}
    for one in STARTED:
        for name in secrets & set(one.variables):
            assert one.variables[name] == "from elsewhere" or re.search(r"\$\{\w+:\?", one.variables[name])


@pytest.mark.parametrize("started", [of_compose(), of_kubernetes()], ids=["compose", "kubernetes"])
def test_whoever_starts_imports_and_who_works_on_them_know_the_same_sources(started: list[Started]) -> None:
    sources = {kind_of(one): one.variables["BULK_SOURCES"] for one in started if kind_of(one) in ("api", "bulk")}
    assert len(sources) == 2
    assert len(set(sources.values())) == 1
