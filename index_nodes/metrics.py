"""The metrics of an index node. Processes share them through prometheus_client's own directory when that is set."""

from prometheus_client import Counter, Gauge, Histogram

QUERIES = Counter("node_queries_total", "Queries by how they ended.", ["outcome"])
"""outcome: answered, behind, failed, heavy (handed back, for the heavy lane), expired (nobody waits any more)"""
SEARCH_SECONDS = Histogram(
    "node_search_seconds",
    "Duration of one message's searches.",
    ["lane"],
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2),
)
"""lane: light, heavy"""
APPLIED_CHANGES = Counter("node_applied_changes_total", "Log entries applied.")
REBUILDS = Counter("node_rebuilds_total", "Indexes loaded again because their log did not continue, or an audit asked.")
REFUSED_LOADS = Counter("node_refused_loads_total", "Indexes not loaded because they do not fit into the memory.")
BUILDS = Counter("node_builds_total", "Graphs built.", ["outcome"])
"""outcome: built, failed"""
LOAD_SECONDS = Histogram(
    "node_load_seconds",
    "Time until an index was filled, by its source.",
    ["source"],
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800),
)
"""source: snapshot, postgres; block (the rows of a bulk job whose bundles cannot be used)"""
BUNDLES = Counter("node_bundles_total", "Bundles of bulk jobs by what became of them.", ["outcome"])
"""outcome: adopted; refused (damaged, missing, or of something else); no_room; replaced (the rows of a job were read
from Postgres, because its bundles were not there or not good)"""
ADOPTION_SECONDS = Histogram(
    "node_adoption_seconds",
    "Time from the entry of a bulk job in the log until its documents can be found.",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
SNAPSHOTS = Counter("node_snapshots_total", "Snapshots by what became of them.", ["outcome"])
"""outcome: written, failed; at a start: damaged, outdated (of another epoch, layout or Faiss, or the log does not
continue it)"""
SNAPSHOT_SECONDS = Histogram(
    "node_snapshot_seconds",
    "Duration of writing one snapshot and reading it again.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
THREAD_SEEN = Gauge(
    "node_thread_seen_timestamp_seconds",
    "When a thread of a node last looked for work or at its work, in seconds since 1970.",
    ["node", "thread"],
    multiprocess_mode="max",
)
"""thread: follower, builds-small, builds-large, builds-background, snapshots"""
BROKER_ERRORS = Counter(
    "node_broker_errors_total", "Searches that could not be fetched, replies that could not be sent."
)
CORRUPT_MESSAGES = Counter("node_corrupt_messages_total", "Messages of a search queue that are no search.")
