"""What the indexers count of periodic jobs."""

from prometheus_client import Counter

JOB_RUNS = Counter("job_runs", "Runs of periodic jobs that have ended.", ["job", "outcome"])
"""outcome: ok, failed, abandoned (its process died or hung)"""
DIGEST_MISMATCHES = Counter(
    "job_digest_mismatches", "Times that the audit saw, twice, that a replica holds something else than Postgres."
)
