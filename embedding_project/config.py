"""The only reader of the environment.

Every role calls `load_config()` once. A variable that is not set is looked up in `<VAR_DIR>/instance.json`, which
`manage.py up` writes, so that a command typed beside a running instance finds it. All problems are reported together.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from embedding_project.regular_files import read_regular

INSTANCE_FILE = "instance.json"
PROJECT_ROOT = Path(__file__).resolve().parent.parent
PACKAGED_MODEL_ID = "all-MiniLM-L6-v2"
"""The model that comes with the requirements; a fresh database has it registered and active."""
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
    """Everything the environment decides. Field `some_name` is read from the variable `SOME_NAME`."""

    database_url: str
    """Postgres 15 or newer: postgresql://user:password@host:port/name"""
    redis_url: str
    """Broker and reply inboxes, Redis or Valkey 7 or newer, `maxmemory-policy noeviction`."""
    cache_url: str
    """Embedding cache, a second instance with an LRU policy; losing it costs speed only."""
    secret_key: str
    """Signs tokens and Django sessions; at least 32 characters."""
    api_key: str
    """The root key, with every scope. Empty means keyless, on loopback only, until a key is made in the registry."""
    admin_password: str
    """Password of the first administrator; used once, when the database has none."""
    host: str
    port: int
    https: bool
    """Whether clients come through a proxy that ends TLS: secure cookies, plain HTTP redirected or refused."""
    allowed_hosts: tuple[str, ...]
    """Host headers the api answers to, besides loopback names."""
    hsts_subdomains: bool
    """Whether HSTS holds for all subdomains and may be built into browsers; hard to undo."""
    trusted_proxies: tuple[str, ...]
    """Addresses and networks whose `X-Forwarded-For` counts."""
    cors_origins: tuple[str, ...]
    """Origins whose pages may use the API from a browser."""
    var_dir: Path
    """Data directory of the instance: logs, Postgres, segments, `instance.json`."""
    model_root: Path
    """Model folders named in the registry must lie below this directory (or be `package:` artifacts)."""
    shards: int
    replicas: int
    node_shard: int
    """Which shard an index node serves; only index nodes read it."""
    node_replica: int
    snapshot_seconds: int
    """Between two snapshots of an index node; 0 for none."""
    api_processes: int
    api_threads: int
    embedders: int
    embed_device: str
    """cpu, cuda, or auto (cuda when there is one)."""
    embed_threads: int
    """CPU threads of one embedder; 0 leaves it to torch."""
    embed_memory_mb: int
    """What the weights of one embedder's models may take together, in MiB; 0 for no bound."""
    embed_max_wait_seconds: float
    """A request to embed is refused when it would wait longer than this for the texts before it."""
    endpoint_hosts: tuple[str, ...]
    """Where models behind endpoints may be, `host[:port]`; `http://` in front allows plain HTTP. Empty: nowhere."""
    embed_secrets_dir: str
    """Directory with one file per secret of the models behind endpoints; only embedders read it."""
    hub_downloads: bool
    """Whether `hub:` artifacts may be downloaded; otherwise they must be below MODEL_ROOT already."""
    hub_url: str
    default_model_id: str
    cache_ttl_seconds: int
    cache_local_mb: int
    """What each process that reads the embedding cache may hold of it in its own memory; 0 for nothing."""
    log_retention_hours: int
    """Entries of the change log and tombstones are kept at least so long."""
    metrics_dir: str
    """Directory in which the processes of one instance share their Prometheus counters; empty means one process."""
    log_level: str
    log_format: str
    """text, or json: an object on each line."""
    role: str
    """Name of this process in its log lines and traces."""
    traces_url: str
    """OTLP over HTTP, such as http://collector:4318/v1/traces; empty means no traces."""
    traces_sample: float
    """Share of the requests that are traced, of those whose client did not decide it."""

    @property
    def on_loopback(self) -> bool:
        return self.host in LOOPBACK_HOSTS


_DEFAULTS: Mapping[str, str] = {
    "DATABASE_URL": "",
    "REDIS_URL": "",
    "CACHE_URL": "",
    "SECRET_KEY": "",
    "API_KEY": "",
    "ADMIN_PASSWORD": "",
    "HOST": "127.0.0.1",
    "PORT": "8000",
    "HTTPS": "0",
    "ALLOWED_HOSTS": "",
    "HSTS_SUBDOMAINS": "0",
    "TRUSTED_PROXIES": "",
    "CORS_ORIGINS": "",
    "VAR_DIR": "var",
    "MODEL_ROOT": "models",
    "SHARDS": "2",
    "REPLICAS": "1",
    "NODE_SHARD": "0",
    "NODE_REPLICA": "0",
    "SNAPSHOT_SECONDS": "300",
    "API_PROCESSES": "1",
    "API_THREADS": "96",
    "EMBEDDERS": "1",
    "EMBED_DEVICE": "auto",
    "EMBED_THREADS": "0",
    "EMBED_MEMORY_MB": "0",
    "EMBED_MAX_WAIT_SECONDS": "1.0",
    "ENDPOINT_HOSTS": "",
    "EMBED_SECRETS_DIR": "",
    "HUB_DOWNLOADS": "0",
    "HUB_URL": "https://huggingface.co",
    "DEFAULT_MODEL_ID": PACKAGED_MODEL_ID,
    "CACHE_TTL_SECONDS": str(7 * 24 * 3600),
    "CACHE_LOCAL_MB": "32",
    "LOG_RETENTION_HOURS": "24",
    "METRICS_DIR": "",
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "text",
    "ROLE": "",
    "TRACES_URL": "",
    "TRACES_SAMPLE": "1.0",
}
_NO_HOST = re.compile(r"/|\s|^[^\[]*:")
_ORIGIN = re.compile(r"https?://[a-z0-9.\[\]:-]+", re.ASCII)
_SECRETS = frozenset({"DATABASE_URL", "REDIS_URL", "CACHE_URL", "SECRET_KEY", "API_KEY", "ADMIN_PASSWORD"})
_MAX_API_THREADS = 4_000
"""Of all api processes of an instance. Each holds a connection, and Postgres a process of some MiB for it."""
_MAX_SECRET_BYTES = 64 * 1024
_NOT_FOR_ALL = frozenset({"DATABASE_URL", "CACHE_URL", "SECRET_KEY"})
"""Needed by the service, and not by each of its roles."""
SETTING_NAMES = tuple(_DEFAULTS)


class _Reader:
    """Looks variables up and collects what is wrong with them instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str], var_dir: Path) -> None:
        self._environ = environ
        self.handed_out = bool(environ.get("ROLE"))
        """Whether the supervisor started this process: it hands out what a role reads, and the rest is not for it."""
        self._fallback = {} if self.handed_out else _instance_values(var_dir)
        self.problems: list[str] = []
        self.lacks_instance = False

    def text(self, name: str) -> str:
        path = self._environ.get(f"{name}_FILE", "") if name in _SECRETS else ""
        if path:
            try:
                return read_regular(Path(path), _MAX_SECRET_BYTES).decode("utf-8").strip()
            except OSError as error:
                self.problems.append(f"{name}_FILE: cannot read {path}: {error.strerror}")
                return ""
            except UnicodeDecodeError:
                self.problems.append(f"{name}_FILE: {path} is not UTF-8")
                return ""
        return self._environ.get(name) or self._fallback.get(name) or _DEFAULTS[name]

    def url(self, name: str, *schemes: str) -> str:
        value = self.text(name)
        if not value and not (self.handed_out and name in _NOT_FOR_ALL):
            self.problems.append(f"{name}: not set")
            self.lacks_instance = True
        elif value and not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            self.problems.append(f"{name}: must start with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        elif not _has_good_port(value):
            self.problems.append(f"{name}: its port is not a number from 0 to 65535")
        return value

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.text(name).split(",") if part.strip())

    def networks(self, name: str) -> tuple[str, ...]:
        values = self.words(name)
        for value in values:
            try:
                ip_network(value)
            except ValueError:
                self.problems.append(f"{name}: {value!r} is not an address or a network such as 10.0.0.0/8")
        return values

    def origins(self, name: str) -> tuple[str, ...]:
        values = self.words(name)
        for value in values:
            if not _ORIGIN.fullmatch(value):
                self.problems.append(f"{name}: {value!r} is not an origin such as https://example.com")
        return values

    def integer(self, name: str, low: int, high: int) -> int:
        value = self.text(name)
        try:
            number = int(value)
        except ValueError:
            self.problems.append(f"{name}: {value!r} is not a whole number")
            return low
        if not low <= number <= high:
            self.problems.append(f"{name}: {number} is not between {low} and {high}")
        return number

    def number(self, name: str, low: float, high: float) -> float:
        value = self.text(name)
        try:
            number = float(value)
        except ValueError:
            self.problems.append(f"{name}: {value!r} is not a number")
            return low
        if not low <= number <= high:
            self.problems.append(f"{name}: {value} is not between {low:g} and {high:g}")
        return number

    def choice(self, name: str, *choices: str) -> str:
        value = self.text(name)
        if value not in choices:
            self.problems.append(f"{name}: {value!r} is not one of {', '.join(choices)}")
        return value


def read_config(environ: Mapping[str, str]) -> Config:
    """Build the configuration from `environ`. Raises ConfigError listing every problem."""
    var_dir = _var_dir(environ)
    read = _Reader(environ, var_dir)
    model_root = Path(read.text("MODEL_ROOT"))
    config = Config(
        database_url=read.url("DATABASE_URL", "postgresql", "postgres"),
        redis_url=read.url("REDIS_URL", "redis", "rediss"),
        cache_url=read.url("CACHE_URL", "redis", "rediss", "unix"),
        secret_key=read.text("SECRET_KEY"),
        api_key=read.text("API_KEY"),
        admin_password=read.text("ADMIN_PASSWORD"),
        host=read.text("HOST"),
        port=read.integer("PORT", 1, 65535),
        https=read.choice("HTTPS", "0", "1") == "1",
        allowed_hosts=read.words("ALLOWED_HOSTS"),
        hsts_subdomains=read.choice("HSTS_SUBDOMAINS", "0", "1") == "1",
        trusted_proxies=read.networks("TRUSTED_PROXIES"),
        cors_origins=read.origins("CORS_ORIGINS"),
        var_dir=var_dir,
        model_root=model_root if model_root.is_absolute() else PROJECT_ROOT / model_root,
        shards=read.integer("SHARDS", 1, 1024),
        replicas=read.integer("REPLICAS", 1, 16),
        node_shard=read.integer("NODE_SHARD", 0, 1023),
        node_replica=read.integer("NODE_REPLICA", 0, 15),
        snapshot_seconds=read.integer("SNAPSHOT_SECONDS", 0, 24 * 3600),
        api_processes=read.integer("API_PROCESSES", 1, 64),
        api_threads=read.integer("API_THREADS", 8, 1024),
        embedders=read.integer("EMBEDDERS", 1, 64),
        embed_device=read.choice("EMBED_DEVICE", "auto", "cpu", "cuda"),
        embed_threads=read.integer("EMBED_THREADS", 0, 256),
        embed_memory_mb=read.integer("EMBED_MEMORY_MB", 0, 1024 * 1024),
        embed_max_wait_seconds=read.number("EMBED_MAX_WAIT_SECONDS", 0.05, 30),
        endpoint_hosts=read.words("ENDPOINT_HOSTS"),
        embed_secrets_dir=read.text("EMBED_SECRETS_DIR"),
        hub_downloads=read.choice("HUB_DOWNLOADS", "0", "1") == "1",
        hub_url=read.text("HUB_URL").rstrip("/"),
        default_model_id=read.text("DEFAULT_MODEL_ID"),
        cache_ttl_seconds=read.integer("CACHE_TTL_SECONDS", 1, 365 * 24 * 3600),
        cache_local_mb=read.integer("CACHE_LOCAL_MB", 0, 65_536),
        log_retention_hours=read.integer("LOG_RETENTION_HOURS", 1, 365 * 24),
        metrics_dir=read.text("METRICS_DIR"),
        log_level=read.choice("LOG_LEVEL", "DEBUG", "INFO", "WARNING", "ERROR"),
        log_format=read.choice("LOG_FORMAT", "text", "json"),
        role=read.text("ROLE"),
        traces_url=read.text("TRACES_URL"),
        traces_sample=read.number("TRACES_SAMPLE", 0, 1),
    )
    problems = read.problems + _contradictions(config, read.handed_out)
    if problems:
        advice = f"\n{_advice(var_dir)}" if read.lacks_instance else ""
        raise ConfigError("configuration:\n" + "\n".join(f"  - {problem}" for problem in problems) + advice)
    return config


def _advice(var_dir: Path) -> str:
    file = var_dir / INSTANCE_FILE
    found = "does not name it" if file.exists() else "is not there, so no instance runs in that directory"
    return (
        f"{file} {found}. Start an instance with 'manage.py up', "
        "name the directory of another one with VAR_DIR=DIR, or set what is missing"
    )


def _has_good_port(url: str) -> bool:
    try:
        urlsplit(url).port  # noqa: B018 - reading it raises
    except ValueError:
        return False
    return True


def _contradictions(config: Config, handed_out: bool) -> list[str]:
    problems = []
    if any(_NO_HOST.search(host) for host in config.allowed_hosts):
        problems.append("ALLOWED_HOSTS: names or addresses alone, without scheme and port")
    if len(config.secret_key) < 32 and (config.secret_key or not handed_out):
        problems.append("SECRET_KEY: needs at least 32 characters")
    if config.api_key and len(config.api_key) < 16:
        problems.append("API_KEY: needs at least 16 characters")
    if (threads := config.api_processes * config.api_threads) > _MAX_API_THREADS:
        problems.append(f"API_PROCESSES x API_THREADS: {threads} threads, at most {_MAX_API_THREADS}")
    if config.traces_url and not config.traces_url.startswith(("http://", "https://")):
        problems.append("TRACES_URL: must start with http:// or https://")
    if not config.hub_url.startswith(("http://", "https://")):
        problems.append("HUB_URL: must start with http:// or https://")
    return problems


def _var_dir(environ: Mapping[str, str]) -> Path:
    return PROJECT_ROOT / (environ.get("VAR_DIR") or _DEFAULTS["VAR_DIR"])


def _instance_values(var_dir: Path) -> dict[str, str]:
    try:
        values = json.loads((var_dir / INSTANCE_FILE).read_text(encoding="utf-8"))
        return {name: str(value) for name, value in values["environment"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}  # absent or damaged


def inherited_environment() -> dict[str, str]:
    """A copy of this process's environment, for the supervisor to hand on to the processes it starts."""
    return dict(os.environ)


def instance_file() -> Path:
    """The file in which this process looks for a running instance."""
    return _var_dir(os.environ) / INSTANCE_FILE


def use_stand_ins() -> None:
    """Let this process load with settings that nobody connects to: for help, and for commands that need no instance."""
    for name in SETTING_NAMES:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    os.environ.update(STAND_INS, VAR_DIR=os.devnull)


@cache
def load_config() -> Config:
    """The configuration of this process, read once. Raises ConfigError."""
    return read_config(os.environ)
