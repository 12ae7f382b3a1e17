"""Whether a role that runs works: what a container or a pod asks, since only the api answers HTTP."""

import urllib.error
import urllib.request

import psycopg
from redis.exceptions import RedisError

from embedding_project.broker.liveness import alive
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import Config
from supervisor.readiness import local_url

CHECKED = ("api", "embedder", "node", "indexer")
"""Not the beat: one that stands by does nothing that could be seen."""
_ANSWER_SECONDS = 3.0
_FRESH = "10 seconds"
"""A node reports every second, and later while it is busy."""


def problem(kind: str, config: Config, number: int) -> str:
    """Why the role does not work now; empty when it does."""
    try:
        match kind:
            case "api":
                urllib.request.urlopen(
                    f"{local_url(config.host, config.port)}/healthz", timeout=_ANSWER_SECONDS
                ).close()
                return ""
            case "node":
                return _node_problem(config)
            case _:
                name = f"embedder-{number}" if kind == "embedder" else kind
                return "" if name in alive(broker_client(config.redis_url)) else f"{name} does not report"
    except (OSError, RedisError, psycopg.Error) as error:
        return f"cannot be asked: {type(error).__name__}"


def _node_problem(config: Config) -> str:
    place = (config.node_shard, config.node_replica)
    with psycopg.connect(config.database_url, connect_timeout=int(_ANSWER_SECONDS)) as connection:
        row = connection.execute(
            f"""
            SELECT count(*), count(*) FILTER (WHERE state = 'loading') FROM shard_replica
            WHERE shard = %s AND replica = %s AND heartbeat > now() - interval '{_FRESH}'
            """,
            place,
        ).fetchone()
    reporting, loading = row or (0, 0)
    name = f"node-s{place[0]}-r{place[1]}"
    if not reporting:
        return f"{name} does not report"
    return f"{name} loads its shard" if loading else ""
