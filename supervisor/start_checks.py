"""What is refused before anything is started, by `up` and by a role that is started by itself."""

from embedding_project.config import Config
from supervisor.errors import StartError


def refuse_one_redis(config: Config) -> None:
    """Raises StartError where broker and cache are one server."""
    if config.redis_url == config.cache_url:
        raise StartError("CACHE_URL is the server of REDIS_URL; a cache that fills up or is emptied loses messages")
