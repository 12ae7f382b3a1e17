"""The only reader of the environment.

Every role calls `load_config()` once. A variable that is not set is looked up in `<VAR_DIR>/instance.json`, which
`manage.py up` writes, so that a command typed beside a running instance finds it. All problems are reported together.
"""

import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from embedding_project import setting_kinds as kinds
from embedding_project.contracts.model_spec import PACKAGED_MODEL
from embedding_project.regular_files import read_regular
from embedding_project.setting_kinds import NOT_SET, Setting, setting

INSTANCE_FILE = "instance.json"
PROJECT_ROOT = Path(__file__).resolve().parent.parent
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
STAND_INS: Mapping[str, str] = {
    "DATABASE_URL": "postgresql://pending",
    "REDIS_URL": "redis://pending-broker",
    "CACHE_URL": "redis://pending-cache",
    "SECRET_KEY": "pending-until-the-instance-starts",
}
"""Stand for the settings that only the start of an instance can know, where everything else can be read before it."""


class ConfigError(Exception):
    """The environment holds values the service cannot start with; the message lists every one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything the environment decides. Field `some_name` is read from the variable `SOME_NAME`.

    `docs/reference/configuration.md` says what each is for.
    """

    database_url: str = setting(kinds.url("postgresql", "postgres"), secret=True, needed="by the service")
    redis_url: str = setting(kinds.url("redis", "rediss"), secret=True, needed="by every role")
    cache_url: str = setting(kinds.url("redis", "rediss", "unix"), secret=True, needed="by the service")
    secret_key: str = setting(kinds.key(32), secret=True, needed="by the service")
    api_key: str = setting(kinds.key(16), secret=True)
    admin_password: str = setting(kinds.text, secret=True)
    host: str = setting(kinds.text, "127.0.0.1")
    port: int = setting(kinds.whole(1, 65535), "8000")
    https: bool = setting(kinds.flag, "0")
    allowed_hosts: tuple[str, ...] = setting(kinds.hosts)
    hsts_subdomains: bool = setting(kinds.flag, "0")
    trusted_proxies: tuple[str, ...] = setting(kinds.networks)
    cors_origins: tuple[str, ...] = setting(kinds.origins)
    compress_from_bytes: int = setting(kinds.whole(0, 2**30), "0")
    var_dir: Path = setting(kinds.path(PROJECT_ROOT), "var")
    model_root: Path = setting(kinds.path(PROJECT_ROOT), "models")
    shards: int = setting(kinds.whole(1, 1024), "2")
    replicas: int = setting(kinds.whole(1, 16), "1")
    node_shard: int = setting(kinds.whole(0, 1023), "0")
    node_replica: int = setting(kinds.whole(0, 15), "0")
    node_search_threads: int = setting(kinds.whole(0, 64), "0")
    node_memory_bytes: int = setting(kinds.whole(0, 2**50), "0")
    heavy_search_ms: int = setting(kinds.whole(1, 1_000), "20")
    snapshot_seconds: int = setting(kinds.whole(0, 24 * 3600), "300")
    api_processes: int = setting(kinds.whole(1, 64), "1")
    api_threads: int = setting(kinds.whole(8, 1024), "96")
    embedders: int = setting(kinds.whole(1, 64), "1")
    embed_device: str = setting(kinds.choice("auto", "cpu", "cuda"), "auto")
    embed_threads: int = setting(kinds.whole(0, 256), "0")
    embed_memory_mb: int = setting(kinds.whole(0, 1024 * 1024), "0")
    embed_max_wait_seconds: float = setting(kinds.number(0.05, 30), "1.0")
    endpoint_hosts: tuple[str, ...] = setting(kinds.words)
    embed_secrets_dir: str = setting(kinds.text)
    hub_downloads: bool = setting(kinds.flag, "0")
    hub_url: str = setting(kinds.site, "https://huggingface.co")
    default_model_id: str = setting(kinds.text, PACKAGED_MODEL.model_id)
    cache_ttl_seconds: int = setting(kinds.whole(1, 365 * 24 * 3600), str(7 * 24 * 3600))
    cache_local_mb: int = setting(kinds.whole(0, 65_536), "32")
    beats: int = setting(kinds.whole(1, 8), "1")
    hot_texts: bool = setting(kinds.flag, "1")
    max_unbuilt_documents: int = setting(kinds.whole(10_000, 10**9), "250000")
    log_retention_hours: int = setting(kinds.whole(1, 365 * 24), "24")
    bulk: bool = setting(kinds.flag, "0")
    bulk_workers: int = setting(kinds.whole(1, 64), "2")
    bulk_sources: tuple[str, ...] = setting(kinds.words)
    search_sample_share: float = setting(kinds.number(0, 1), "0.1")
    slow_search_ms: int = setting(kinds.whole(1, 60_000), "500")
    keep_search_texts: bool = setting(kinds.flag, "0")
    metrics_dir: str = setting(kinds.text)
    metrics_port: int = setting(kinds.whole(0, 65_535), "0")
    log_level: str = setting(kinds.choice("DEBUG", "INFO", "WARNING", "ERROR"), "INFO")
    log_format: str = setting(kinds.choice("text", "json"), "text")
    role: str = setting(kinds.text)
    traces_url: str = setting(kinds.url("http", "https"))
    traces_sample: float = setting(kinds.number(0, 1), "1.0")

    @property
    def on_loopback(self) -> bool:
        return self.host in LOOPBACK_HOSTS


SETTINGS: Mapping[str, Setting[Any]] = {one.name.upper(): one.metadata["setting"] for one in fields(Config)}
"""Variable -> how it is read."""
_MAX_API_THREADS = 4_000
"""Of all api processes of an instance. Each holds a connection, and Postgres a process of some MiB for it."""
_MAX_SECRET_BYTES = 64 * 1024


def read_config(environ: Mapping[str, str], role_needs: Collection[str] = ()) -> Config:
    """Build the configuration from `environ`. Raises ConfigError listing every problem.

    `role_needs`: settings that a single role must find in `environ`; it finds all others there too, or takes defaults.
    """
    var_dir = _var_dir(environ)
    # Who started this process handed out what the role reads: the rest is not for it.
    handed_out = bool(environ.get("ROLE") or role_needs)
    known = {} if handed_out else _instance_values(var_dir) | {"VAR_DIR": str(var_dir)}
    known |= {name: value for name, value in environ.items() if value}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, one in SETTINGS.items():
        file = environ.get(f"{name}_FILE", "") if one.secret else ""
        given = _content(name, file, problems) if file else known.get(name)
        value = given or one.default
        complaints: list[str] = []
        values[name.lower()] = one.kind(value, complaints.append)
        if name in role_needs and not given:
            problems.append(f"{name}: {NOT_SET}")
        elif value or one.needed == "by every role" or (one.needed and not handed_out):
            problems += [f"{name}: {complaint}" for complaint in complaints]
    config = Config(**values)
    if (threads := config.api_processes * config.api_threads) > _MAX_API_THREADS:
        problems.append(f"API_PROCESSES x API_THREADS: {threads} threads, at most {_MAX_API_THREADS}")
    if problems:
        missing = not role_needs and any(problem.endswith(f": {NOT_SET}") for problem in problems)
        advice = [_advice(var_dir)] if missing else []
        raise ConfigError("\n".join(["configuration:", *(f"  - {problem}" for problem in problems), *advice]))
    return config


def _content(name: str, file: str, problems: list[str]) -> str:
    try:
        return read_regular(Path(file), _MAX_SECRET_BYTES).decode("utf-8").strip()
    except OSError as error:
        problems.append(f"{name}_FILE: cannot read {file}: {error.strerror}")
    except UnicodeDecodeError:
        problems.append(f"{name}_FILE: {file} is not UTF-8")
    return ""


def _advice(var_dir: Path) -> str:
    file = var_dir / INSTANCE_FILE
    found = "does not name it" if file.exists() else "is not there, so no instance runs in that directory"
    return (
        f"{file} {found}. Start an instance with 'manage.py up', "
        "name the directory of another one with VAR_DIR=DIR, or set what is missing"
    )


def _var_dir(environ: Mapping[str, str]) -> Path:
    return PROJECT_ROOT / (environ.get("VAR_DIR") or SETTINGS["VAR_DIR"].default)


def _instance_values(var_dir: Path) -> dict[str, str]:
    try:
        values = json.loads((var_dir / INSTANCE_FILE).read_text(encoding="utf-8"))
        return {name: str(value) for name, value in values["environment"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}  # absent or damaged


def inherited_environment() -> dict[str, str]:
    """A copy of this process's environment, for the supervisor to hand on to the processes it starts."""
    return dict(os.environ)


def put_into_environment(**values: str) -> None:
    """For libraries that read there what they have no parameter for."""
    os.environ.update(values)


@contextmanager
def environment_with(**values: str) -> Iterator[None]:
    """The same for as long as the block runs."""
    before = {name: os.environ.pop(name, None) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def instance_file() -> Path:
    """The file in which this process looks for a running instance."""
    return _var_dir(os.environ) / INSTANCE_FILE


def use_stand_ins() -> None:
    """Let this process load with settings that nobody connects to: for help, and for commands that need no instance."""
    for name in SETTINGS:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    os.environ.update(STAND_INS, VAR_DIR=os.devnull)


@cache
def load_config() -> Config:
    """The configuration of this process, read once. Raises ConfigError."""
    return read_config(os.environ)
