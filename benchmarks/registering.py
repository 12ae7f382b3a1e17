"""How long a bulk job held writers up when its documents became visible, by its own report."""

from benchmarks.errors import BenchmarkError
from benchmarks.own_instance import OwnInstance
from benchmarks.report import Figure, Goal

_REGISTERED, _FOLLOWED = Goal(200, at_least=False), Goal(2, at_least=False)


def registering_figures(instance: OwnInstance) -> list[Figure]:
    """Of the newest job. Raises BenchmarkError when its documents did not become visible at once."""
    found = instance.query(
        """
        SELECT registering_seconds, following_seconds FROM bulk_job
        WHERE id = (SELECT max(id) FROM bulk_job) AND following_seconds IS NOT NULL
        """
    )
    if not found:
        raise BenchmarkError("the job did not make its documents visible at once")
    registering, following = found[0]
    return [
        Figure("the transaction that makes them visible", 1e3 * registering, "ms", _REGISTERED, "its commit included"),
        Figure("from there until index nodes have taken them over", following, "s", _FOLLOWED),
    ]
