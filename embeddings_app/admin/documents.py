"""Namespaces and documents, to look at: they are written by the API, which keeps the index in step."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator

from embeddings_app.admin.paging import EstimatingPaginator
from embeddings_app.admin.read_only import ReadOnlyAdmin
from embeddings_app.models import Document, Namespace

_PREVIEW_CHARACTERS = 80
_SEARCHED_NAMESPACES = 1000


@admin.register(Namespace)
class NamespaceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """A namespace may be made before its first write, and its texts be kept or not; the rest follows from writes."""

    fields = ("name", "model_id", "store_text")
    list_display = ("name", "model_id", "store_text", "created_at")
    list_filter = ("model_id",)
    search_fields = ("name",)
    actions = None

    def get_readonly_fields(self, _request: HttpRequest, obj: Namespace | None = None) -> tuple[str, ...]:
        return () if obj is None else ("name", "model_id")

    def has_delete_permission(self, _request: HttpRequest, _obj: Namespace | None = None) -> bool:
        return False


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    list_display = ("doc_id", "namespace", "preview", "revision", "deleted", "updated_at")
    list_filter = ("namespace",)
    list_select_related = ("namespace",)
    search_fields = ("doc_id",)
    search_help_text = "Beginning of the document id"
    ordering = ("-id",)
    sortable_by = ()
    paginator = EstimatingPaginator
    show_full_result_count = False

    @admin.display(description="text")
    def preview(self, document: Document) -> str:
        return Truncator(document.text).chars(_PREVIEW_CHARACTERS)

    def get_search_results(
        self, _request: HttpRequest, queryset: QuerySet[Document], search_term: str
    ) -> tuple[QuerySet[Document], bool]:
        """By prefix, in the order of the ids. The list of namespaces lets Postgres use the index on (namespace, id)."""
        if not search_term:
            return queryset, False
        namespaces = list(Namespace.objects.values_list("pk", flat=True)[:_SEARCHED_NAMESPACES])
        found = queryset.filter(namespace__in=namespaces, doc_id__startswith=search_term)
        return found.order_by("namespace_id", "doc_id"), False
