"""Leases: rights that one process at a time has, and that end by themselves. All times are those of Postgres."""

from dataclasses import dataclass
from datetime import datetime

from embeddings_app.records.sql import execute, row


@dataclass(frozen=True, slots=True)
class Holding:
    """Somebody who held a lease until it ran out."""

    holder: str
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """A lease that the caller has now."""

    left: Holding | None
    """Who held it before and never gave it back; None when it was free, or the caller's own."""


def take(name: str, holder: str, seconds: float) -> Taken | None:
    """Take the lease, or renew one's own; None while somebody else has it. Raises django.db.Error."""
    found = row(
        """
        WITH before AS (
            SELECT holder, taken_at FROM lease
            WHERE name = %(name)s AND holder NOT IN ('', %(holder)s) AND lease_until < now()
        )
        INSERT INTO lease AS l (name, holder, lease_until, taken_at)
        VALUES (%(name)s, %(holder)s, now() + make_interval(secs => %(seconds)s), now())
        ON CONFLICT (name) DO UPDATE SET
            holder = excluded.holder, lease_until = excluded.lease_until,
            taken_at = CASE WHEN l.holder = excluded.holder THEN l.taken_at ELSE excluded.taken_at END
        WHERE l.holder IN ('', excluded.holder) OR l.lease_until < now()
        RETURNING (SELECT holder FROM before), (SELECT taken_at FROM before)
        """,
        {"name": name, "holder": holder, "seconds": seconds},
    )
    if found is None:
        return None
    left_by, taken_at = found
    return Taken(Holding(left_by, taken_at) if left_by else None)


def give_back(name: str, holder: str) -> None:
    """Let others take the lease at once; nothing happens when `holder` lost it. Raises django.db.Error."""
    execute("UPDATE lease SET holder = '' WHERE name = %s AND holder = %s", [name, holder])
