"""Redis or Valkey servers of the instance: the broker and the cache. Neither keeps anything on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from supervisor.binaries import REDIS_MINIMUM, Binary
from supervisor.errors import NotAnswering, StartError
from supervisor.process import ProcessSpec
from supervisor.secrets import write_private


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServer:
    """One server to start."""

    name: str
    port: int
    password: str
    settings: tuple[str, ...]
    """Lines of its configuration beside the ones every server gets."""

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"


def broker(port: int, password: str) -> RedisServer:
    """Carries messages: full memory must be an error for the sender, never a message that vanishes."""
    settings = ("maxmemory 1gb", "maxmemory-policy noeviction")
    return RedisServer(name="broker", port=port, password=password, settings=settings)


def cache(port: int, password: str) -> RedisServer:
    """Holds vectors that can be computed again: bounded, the least used ones leave."""
    settings = ("maxmemory 512mb", "maxmemory-policy allkeys-lru")
    return RedisServer(name="cache", port=port, password=password, settings=settings)


def configuration(server: RedisServer, folder: Path) -> str:
    """The configuration file; the password stands here because a command line is visible to every user."""
    lines = (
        "bind 127.0.0.1",
        f"port {server.port}",
        f"requirepass {server.password}",
        "daemonize no",
        'save ""',
        "appendonly no",
        f'dir "{folder}"',
        "tcp-keepalive 60",
        "loglevel warning",
        *server.settings,
    )
    return "\n".join(lines) + "\n"


def process(server: RedisServer, binary: Binary, folder: Path, env: Mapping[str, str]) -> ProcessSpec:
    """Write the server's configuration and describe its process."""
    file = folder / f"{server.name}.conf"
    write_private(file, configuration(server, folder))
    return ProcessSpec(name=server.name, argv=(str(binary.path), str(file)), env=env, cwd=folder)


def check(url: str) -> None:
    """Raises NotAnswering, or StartError when the server that answers is too old."""
    try:
        with Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
            version = str(client.info("server")["redis_version"])
    except (RedisError, ValueError) as error:
        raise NotAnswering(f"does not answer: {error}") from error
    if int(version.split(".")[0]) < REDIS_MINIMUM:
        raise StartError(f"is version {version}, {REDIS_MINIMUM} or newer is needed")
