"""Lists over tables of millions of rows: pages without counting them all."""

from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, QuerySet
from django.utils.functional import cached_property

COUNTED_EXACTLY = 10_000


class EstimatingPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs only
    """Counts up to a limit; beyond it takes the estimate that Postgres keeps, or the limit where there is a filter."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Model] = self.object_list  # type: ignore[assignment]  # the admin pages querysets only
        counted = rows.order_by()[: COUNTED_EXACTLY + 1].count()
        if counted <= COUNTED_EXACTLY:
            return counted
        filtered = bool(rows.query.where)
        return COUNTED_EXACTLY if filtered else max(COUNTED_EXACTLY, estimated_rows(rows.query.get_initial_alias()))


def estimated_rows(table: str) -> int:
    """Rows of `table` by the statistics of Postgres; -1 before the first ANALYZE."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)", [table])
        row = cursor.fetchone()
    return int(row[0]) if row else -1
