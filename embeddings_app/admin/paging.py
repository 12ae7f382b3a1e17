"""Lists over tables of millions of rows: pages without counting them all, and none far into the table."""

from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.views import ChangeList

from embeddings_app.records.operations import COUNT_CAP, estimated_rows

MAX_PAGES = 100
"""Reaching a page costs what all pages before it cost; beyond these a filter or a search is the way."""


class EstimatingPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs only
    """Counts up to a limit; beyond it takes the estimate that Postgres keeps, or the limit where there is a filter."""

    template_name = "embeddings_app/estimated_pages.html"

    @cached_property
    def count(self) -> int:
        if self._counted <= COUNT_CAP:
            return self._counted
        return (
            COUNT_CAP if self._filtered else max(COUNT_CAP, estimated_rows(self._rows.query.get_initial_alias() or ""))
        )

    @property
    def shown_count(self) -> str:
        """The count in words."""
        if self._counted <= COUNT_CAP:
            return f"{self.count:,}"
        return f"more than {COUNT_CAP:,}" if self._filtered else f"about {self.count:,}"

    @cached_property
    def num_pages(self) -> int:
        return min(super().num_pages, MAX_PAGES)

    @property
    def cut(self) -> bool:
        """Whether there are rows beyond the last page."""
        return self.count > MAX_PAGES * self.per_page

    @cached_property
    def _counted(self) -> int:
        # In the order of the page, so that both walk along the same index.
        return self._rows[: COUNT_CAP + 1].count()

    @property
    def _rows(self) -> "QuerySet[Model]":
        rows: QuerySet[Model] = self.object_list  # type: ignore[assignment]  # the admin pages querysets only
        return rows

    @property
    def _filtered(self) -> bool:
        return bool(self._rows.query.where)


class EstimatedChangeList(ChangeList):
    """A list that says how many rows it has in one place only, below it, and whose order is that of an index."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count

    def _get_deterministic_ordering(self, ordering: list[str]) -> list[str]:
        # Django would add the primary key, which no other index ends with.
        return ordering
