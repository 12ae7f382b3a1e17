"""What an api process counts of its searches over several shards."""

from prometheus_client import Counter, Gauge, Histogram

HEDGES = Counter("api_hedges", "Messages sent once more to a shard that was late, by what became of them.", ["outcome"])
"""outcome: sent, won (it brought the answer), withheld (no budget, or the queue is long)"""
UNANSWERED = Counter("api_unanswered_shards", "Times a shard was given up by a fan-out.")
SEARCHES = Counter("api_searches", "Searches answered, by the model version that answered.", ["model", "version"])
PARTIAL_ANSWERS = Counter("api_partial_answers", "Searches answered without one of their shards.")
OPEN_CIRCUITS = Gauge(
    "api_open_circuits", "Shards of a model version that searches do not wait for.", multiprocess_mode="livesum"
)
HEAVY_SEARCHES = Gauge("api_heavy_searches", "Heavy searches under way or waiting for it.", multiprocess_mode="livesum")
HEAVY_REFUSED = Counter("api_heavy_searches_refused", "Heavy searches refused, since too many waited before them.")
HEAVY_SECONDS = Histogram(
    "api_heavy_search_seconds",
    "Duration of a heavy search on its way to the shards and back.",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2),
)
STAGE_SECONDS = Histogram(
    "api_search_stage_seconds",
    "Duration of one stage of a search.",
    ["stage"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2),
)
"""stage: wait (for a token's position), embed, shards, hydrate"""
