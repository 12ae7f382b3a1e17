"""How fast a run went, from its waves: a wave is as fast as all its chunks together."""

from dataclasses import dataclass

from embeddings_app.records.sql import rows


@dataclass(frozen=True, slots=True)
class Stretch:
    """Waves that followed each other, from the end of the one before; seconds since the run began."""

    began: float
    ended: float
    embedded: int


def stretches(run_key: int, count: int) -> list[Stretch]:
    """The run in at most `count` + 1 stretches of about the same length, in order.

    An unfinished wave lasts until now, or until the run last reported anything when it does not run.
    """
    found = rows(
        """
        WITH run AS (
            SELECT id, started_at, CASE WHEN state = 'running' THEN now() ELSE coalesce(ended_at, progressed_at) END
                AS until FROM reembed_run WHERE id = %(run)s
        ), wave AS (
            SELECT c.wave, sum(c.embedded) AS embedded, extract(epoch FROM r.until - r.started_at) AS lasted,
                   extract(epoch FROM CASE WHEN bool_and(c.finished_at IS NOT NULL) THEN max(c.finished_at)
                                           ELSE r.until END - r.started_at) AS ended
            FROM reembed_chunk c JOIN run r ON r.id = c.run_id GROUP BY c.wave, r.until, r.started_at
        ), placed AS (
            SELECT embedded, ended, coalesce(lag(ended) OVER (ORDER BY wave), 0) AS began,
                   floor(%(count)s * ended / greatest(lasted, 0.001)) AS place
            FROM wave
        )
        SELECT min(began)::float8, max(ended)::float8, sum(embedded) FROM placed GROUP BY place ORDER BY place
        """,
        {"run": run_key, "count": count},
    )
    return [Stretch(began, ended, int(embedded)) for began, ended, embedded in found]
