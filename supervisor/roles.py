"""The process table: every role of an instance, in the order in which they start; and each role by itself."""

import signal
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from embedding_project.config import PROJECT_ROOT, SETTINGS, Config
from embedding_project.contracts.limits import DRAINS_AT_ONCE, PAGES_AT_ONCE
from supervisor.process import ProcessSpec

# Celery skips Django's checks of the code: for them, the indexer would load every page of the api.
_DJANGO = {"DJANGO_SETTINGS_MODULE": "embedding_project.settings", "CELERY_SKIP_CHECKS": "1"}
_NOT_SHARED = {"NODE_SHARD", "NODE_REPLICA", "ROLE", "ADMIN_PASSWORD"}
_WITHHELD: Mapping[str, tuple[str, ...]] = {
    "embedder": ("SECRET_KEY", "API_KEY", "DATABASE_URL"),
    "node": ("SECRET_KEY", "API_KEY", "CACHE_URL"),
    "indexer": ("API_KEY",),
    "api": (),
    "beat": ("API_KEY",),
    "bulk": ("API_KEY",),
}
"""Kind of role -> the secrets that it has no use for."""
KINDS = tuple(_WITHHELD)
# Only the command that makes the administrator may see the password; a role must not find the settings module unless
# it is one of Django's, because Celery would load it.
_NOT_INHERITED = {"ADMIN_PASSWORD", "ADMIN_PASSWORD_FILE", *_DJANGO}
# Threads of a BLAS would fight over the cores: a node gets its parallelism from its search threads and its shards.
_SINGLE_THREADED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# Threads of OpenMP spin for milliseconds by default: with other roles on the cores, throughput falls to a third. Not to
# spin at all doubles the time of one short text. This many turns cost neither.
_EMBEDDER = {"TOKENIZERS_PARALLELISM": "false", "GOMP_SPINCOUNT": "20000"}
_QUIET_WORKER = ("-l", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat")
_BACKGROUND_NICE = 5
# For pages, for the rests of refused bodies, and for refusals and probes, which take no time.
_THREADS_BESIDE_WORK = PAGES_AT_ONCE + DRAINS_AT_ONCE + 8
# Beside the threads of requests of one api process; for an index node; for other roles, commands and people.
_CONNECTIONS_BESIDE_REQUESTS, _CONNECTIONS_OF_NODE, _CONNECTIONS_OF_OTHERS = 12, 2, 100
_HTTP_SERVER_LOGGING = PROJECT_ROOT / "embedding_project" / "granian.json"


def environment(config: Config) -> dict[str, str]:
    """The settings of an instance as variables: what its roles get and what `instance.json` keeps."""
    values = {name: _text(getattr(config, name.lower())) for name in SETTINGS if name not in _NOT_SHARED}
    return {name: value for name, value in values.items() if value}


def _text(value: str | float | Path | tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return ",".join(value) if isinstance(value, tuple) else str(value)


def base_environment(config: Config, inherited: Mapping[str, str]) -> dict[str, str]:
    """What every role gets beside its own variables."""
    kept = {name: value for name, value in inherited.items() if name not in _NOT_INHERITED}
    # Where the variable is there but empty, the client of Prometheus writes its files into the current directory.
    shared = {"PROMETHEUS_MULTIPROC_DIR": config.metrics_dir} if config.metrics_dir else {}
    return kept | environment(config) | shared | {"PYTHONUNBUFFERED": "1"}


def needed_settings(kind: str) -> frozenset[str]:
    """The settings without which one role of this kind cannot run."""
    service = {name for name, one in SETTINGS.items() if one.needed and name not in _WITHHELD[kind]}
    return frozenset(service | ({"NODE_SHARD", "NODE_REPLICA"} if kind == "node" else set()))


def role(kind: str, config: Config, inherited: Mapping[str, str], number: int = 0) -> ProcessSpec:
    """One role: an embedder or a beat of that number, or the node of the shard and replica that `config` names."""
    withheld = {*_WITHHELD[kind], *(f"{name}_FILE" for name in _WITHHELD[kind])}
    env = {name: value for name, value in base_environment(config, inherited).items() if name not in withheld}
    match kind:
        case "embedder":
            return _embedder(env, number, config)
        case "node":
            return _node(env, config.node_shard, config.node_replica)
        case "indexer":
            return _indexer(env)
        case "api":
            return _api(env, config)
        case "bulk":
            return _bulk(env)
        case _:
            return _beat(env, number)


def role_table(config: Config, inherited: Mapping[str, str]) -> tuple[ProcessSpec, ...]:
    """Every role, in the order of their start; those without DATABASE_URL start before the database is ready for it."""
    # Their counters are shared through METRICS_DIR, and they could not all have one port.
    config = replace(config, metrics_port=0)
    return (
        *(role("embedder", config, inherited, number) for number in range(config.embedders)),
        *nodes(config, inherited, range(config.shards)),
        role("indexer", config, inherited),
        role("api", config, inherited),
        *(role("beat", config, inherited, number) for number in range(config.beats)),
        *((role("bulk", config, inherited),) if config.bulk else ()),
    )


def nodes(config: Config, inherited: Mapping[str, str], shards: Iterable[int]) -> tuple[ProcessSpec, ...]:
    """The nodes of these shards, with all their replicas."""
    return tuple(
        role("node", replace(config, node_shard=shard, node_replica=replica, metrics_port=0), inherited)
        for shard in shards
        for replica in range(config.replicas)
    )


def database_connections(config: Config) -> int:
    """How many connections to Postgres the roles may hold at a time, when every thread needs one."""
    api = config.api_threads + _THREADS_BESIDE_WORK + _CONNECTIONS_BESIDE_REQUESTS
    nodes = config.shards * config.replicas * _CONNECTIONS_OF_NODE
    return config.api_processes * api + nodes + _CONNECTIONS_OF_OTHERS


def management(command: str, config: Config, inherited: Mapping[str, str], **extra: str) -> ProcessSpec:
    """A management command that runs once before the roles; `extra` are variables for it alone."""
    argv = (sys.executable, "manage.py", *command.split())
    env = base_environment(config, inherited) | _DJANGO | extra
    return ProcessSpec(name=argv[2], argv=argv, env=env | {"ROLE": argv[2]}, cwd=PROJECT_ROOT)


def _python(name: str, module: str, *arguments: str, env: Mapping[str, str], nice: int = 0) -> ProcessSpec:
    argv = (sys.executable, "-m", module, *arguments)
    return ProcessSpec(name=name, argv=argv, env={**env, "ROLE": name}, cwd=PROJECT_ROOT, nice=nice)


def _worker(app: str, name: str, *arguments: str, env: Mapping[str, str], nice: int = 0) -> ProcessSpec:
    start = ("-A", f"embedding_project.celery:{app}", "worker", "-n", f"{name}@%h", *_QUIET_WORKER)
    return _python(name, "celery", *start, *arguments, env=env, nice=nice)


def _node(base: Mapping[str, str], shard: int, replica: int) -> ProcessSpec:
    own = {"NODE_SHARD": str(shard), "NODE_REPLICA": str(replica), **_SINGLE_THREADED}
    queue = f"search.ctl.s{shard}.r{replica}"
    options = ("-I", "index_nodes.tasks", "-P", "solo", "-Q", queue)
    return _worker("query_app", f"node-s{shard}-r{replica}", *options, env={**base, **own})


def _embedder(base: Mapping[str, str], number: int, config: Config) -> ProcessSpec:
    options = ("-I", "workers.tasks", "-P", "threads", "-c", "1", "-Q", f"embed.ctl.{number}")
    own = {**_EMBEDDER, "HF_HUB_OFFLINE": "0" if config.hub_downloads else "1"}
    return _worker("query_app", f"embedder-{number}", *options, env={**base, **own})


def _indexer(base: Mapping[str, str]) -> ProcessSpec:
    # Two turns of indexing at a time, four chunks of a re-embedding, and four threads for periodic jobs: slow ones take
    # two of them at most.
    options = ("-P", "threads", "-c", "10", "-Q", "index,reembed")
    return _worker("job_app", "indexer", *options, env={**base, **_DJANGO}, nice=_BACKGROUND_NICE)


def _bulk(base: Mapping[str, str]) -> ProcessSpec:
    own = {**_DJANGO, **_EMBEDDER, "HF_HUB_OFFLINE": "1"}
    return _python("bulk", "bulk_ingest", "work", env={**base, **own}, nice=_BACKGROUND_NICE)


def _api(base: Mapping[str, str], config: Config) -> ProcessSpec:
    # Granian counts connections, not requests, against `backpressure`, idle keep-alive ones included: a limit near the
    # number of threads would let idle clients shut out everybody else, health checks too.
    options = {
        "--interface": "wsgi",
        "--http": "1",
        "--host": config.host,
        "--port": config.port,
        "--workers": config.api_processes,
        "--blocking-threads": config.api_threads + _THREADS_BESIDE_WORK,
        "--backpressure": 4096,
        "--backlog": 4096,
        "--workers-kill-timeout": 3,
        "--log-level": "warning",
        "--log-config": _HTTP_SERVER_LOGGING,
    }
    flags = [str(part) for pair in options.items() for part in pair]
    arguments = (*flags, "--respawn-failed-workers", "embedding_project.wsgi:application")
    spec = _python("api", "granian", *arguments, env={**base, **_DJANGO})
    # Its workers are processes of their own, which only Granian itself can end.
    return replace(spec, orphan_signal=signal.SIGTERM)


def _beat(base: Mapping[str, str], number: int) -> ProcessSpec:
    scheduler = ("--scheduler", "embeddings_app.beat:StandbyScheduler", "--pidfile=", "-l", "WARNING")
    start = ("-A", "embedding_project.celery:job_app", "beat")
    # One sends, and the others stand by.
    name = f"beat-{number}" if number else "beat"
    return _python(name, "celery", *start, *scheduler, env={**base, **_DJANGO}, nice=_BACKGROUND_NICE)
