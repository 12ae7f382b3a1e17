"""The Dockerfile: images without what their roles do not need, and without root."""

import os
import re
import subprocess
import sys

import pytest

from embedding_project.config import SETTINGS
from supervisor.roles import KINDS
from tests.conftest import ROOT
from tests.unit.deploy.started import DEPLOY, compose, dockerfile

STAGES = dockerfile()
ROLE_TARGETS = ("web", "embedder", "node")
TARGETS = (*ROLE_TARGETS, "bulk", "spark")
PACKAGES = {
    "web": ("embeddings_app",),
    "embedder": ("workers",),
    "node": ("index_nodes",),
    "bulk": ("embeddings_app", "bulk_ingest", "workers", "index_nodes"),
    "spark": ("embeddings_app", "bulk_ingest", "workers", "index_nodes"),
}
_BULK = ("web", "embedder", "node", "bulk")
REQUIREMENTS = {**{target: (target,) for target in ROLE_TARGETS}, "bulk": _BULK, "spark": (*_BULK, "spark")}
PROFILES = {"bulk": "bulk", "spark": "spark"}
"""Of the services of compose that not everybody needs."""
WITH_DJANGO = ("web", "bulk")
NOT_IN_AN_IMAGE = {"bulk": ("bulk_ingest.spark",)}
"""What runs on Spark needs that, which one image alone has."""


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_a_command_as_a_user_that_is_not_root(target: str) -> None:
    stage = STAGES[target]
    assert stage.all_of("USER") == ["10001:10001"]
    command = re.findall(r'"([\w-]+)"', stage.all_of("CMD")[0])
    assert (command[0] == "role" and command[1] in KINDS) or command == ["bulk_ingest", "--help"]
    assert STAGES[stage.base].all_of("ENTRYPOINT") == ['["python", "manage.py"]']


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_has_the_packages_of_its_role_alone(target: str) -> None:
    copied = STAGES[target].all_of("COPY")
    assert copied == [
        f"--from=packages-{target} /opt/venv /opt/venv",
        *(f"{package}/ {package}/" for package in PACKAGES[target]),
    ]
    stage, installed = STAGES[f"packages-{target}"], set[str]()
    while stage.name != "packages":
        installed.update(re.findall(r"requirements/(\S+)\.txt", " ".join(stage.all_of("RUN"))))
        stage = STAGES[stage.base]
    assert installed == set(REQUIREMENTS[target])


def imports(target: str, *modules: str) -> str:
    """What goes wrong where only the requirements of this image are installed."""
    files = [f"requirements/{name}.txt" for name in ("base", "tracing", *REQUIREMENTS[target])]
    command = (sys.executable, "-m", "tests.unit.deploy.image_imports", *modules, "--", *files)
    environ = {name: value for name, value in os.environ.items() if target in WITH_DJANGO or "DJANGO" not in name}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("target", [*ROLE_TARGETS, "bulk"])
def test_an_image_has_all_that_its_code_imports(target: str) -> None:
    shared = ["embedding_project", "supervisor"] if target in WITH_DJANGO else ["supervisor.single_role"]
    left_out = [f"-{module}" for module in NOT_IN_AN_IMAGE.get(target, ())]
    assert imports(target, *PACKAGES[target], *shared, *left_out) == ""


@pytest.mark.parametrize(
    ("target", "module", "absent"),
    [
        ("web", "torch", "torch"),
        ("web", "bulk_ingest.sources.parquet", "pyarrow"),
        ("embedder", "embeddings_app.models", "django"),
        ("node", "embeddings_app.models", "django"),
        ("web", "index_nodes.tasks", "faiss"),
    ],
)
def test_what_an_image_has_not_is_missed(target: str, module: str, absent: str) -> None:
    assert f"No module named '{absent}' in this image" in imports(target, module)


def test_everything_that_is_copied_exists_and_reaches_the_builder() -> None:
    sources = {
        source
        for stage in STAGES.values()
        for line in stage.all_of("COPY")
        if not line.startswith("--from")
        for source in line.split()[:-1]
    }
    assert {"manage.py", "requirements/base.txt", "requirements/tracing.txt"} <= sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{source.split('/')[0]}" for source in sources} == {line for line in ignored if line.startswith("!")}


def test_every_variable_of_an_image_is_a_setting() -> None:
    set_here = {name for line in STAGES["runtime"].all_of("ENV") for name in re.findall(r"(\w+)=", line)}
    assert set_here - {"PATH", "PYTHONDONTWRITEBYTECODE"} <= set(SETTINGS)
    assert set_here >= {"VAR_DIR", "MODEL_ROOT"}


def test_containers_of_compose_write_nowhere_but_in_volumes() -> None:
    services = compose()["services"]
    for name, one in services.items():
        assert one["profiles"] == [PROFILES.get(name, "core")], name
        if "build" in one:
            assert (one["read_only"], one["cap_drop"], one["tmpfs"]) == (True, ["ALL"], ["/tmp"]), name
            assert one["build"]["target"] in TARGETS
    mounted = [volume for one in services.values() for volume in one.get("volumes", [])]
    volumes = {volume.removeprefix("${BULK_FILES:-").partition(":")[0].removesuffix("}") for volume in mounted}
    assert volumes == set(compose()["volumes"])


def test_services_of_compose_that_can_be_asked_are() -> None:
    services = compose()["services"]
    assert {name for name, one in services.items() if "healthcheck" not in one} == {
        *("bootstrap", "beat", "bulk", "spark")
    }
    for one in services.values():
        if "build" in one and "healthcheck" in one:
            assert one["healthcheck"]["test"] == ["CMD", "python", "manage.py", *one["command"], "--check"]


def test_only_the_api_is_published_and_on_loopback() -> None:
    published = {name: one["ports"] for name, one in compose()["services"].items() if "ports" in one}
    assert published == {"api": ["127.0.0.1:${PORT:-8000}:8000"]}
