"""Names of tasks and queues. With them the roles find each other, and need not import each other."""

import re
from enum import StrEnum

SEARCH_TASK = "index_nodes.search_shard"
CENSUS_TASK = "index_nodes.count_shard"
EMBED_TASK = "workers.embed_texts"
INDEX_TASK = "embeddings_app.index_documents"
REEMBED_CHUNK_TASK = "embeddings_app.reembed_chunk"
REEMBED_WAVE_DONE_TASK = "embeddings_app.reembed_wave_done"

INDEX_QUEUE = "index"
REEMBED_QUEUE = "reembed"


def job_task(job: str) -> str:
    """The task of one periodic job."""
    return f"embeddings_app.jobs.{job}"


def embed_queue(lane: str) -> str:
    return f"embed.{lane}"


class SearchLane(StrEnum):
    """Heavy searches read so much that others would wait for them: they travel alone, to a thread of their own."""

    LIGHT = "light"
    HEAVY = "heavy"


def search_queue(layout: int, version_key: int, shard: int, lane: SearchLane = SearchLane.LIGHT) -> str:
    """The queue of one model version on one shard; only replicas that may answer for that version consume it."""
    name = f"search.l{layout}.v{version_key}.s{shard}"
    return name if lane is SearchLane.LIGHT else f"{name}.{lane}"


def layout_of(queue: str) -> int:
    """The layout in the name of a search queue. Raises ValueError for another name."""
    found = re.match(r"search\.l(\d+)\.", queue)
    if not found:
        raise ValueError("not a search queue")
    return int(found[1])
