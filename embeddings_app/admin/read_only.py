"""Admin pages that show and never write: what they show changes through services only."""

from typing import Any

from django.contrib.admin import ShowFacets
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from embeddings_app.admin.paging import EstimatedChangeList, EstimatingPaginator


class ShownOnly:
    """Stands before the class of a page or an inline: nobody may change there what it shows."""

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ShownOnly, ModelAdmin):
    actions: Any = None
    list_per_page = 50
    list_filter_submit = True
    # Numbers beside filters, and the total beside a search, would count the whole table.
    show_facets = ShowFacets.NEVER
    show_full_result_count = False
    paginator = EstimatingPaginator

    def get_changelist(self, _request: HttpRequest, **_more: Any) -> type[EstimatedChangeList]:
        return EstimatedChangeList
