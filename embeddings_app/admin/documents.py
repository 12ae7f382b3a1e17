"""Documents, to look at: they are written by the API, which keeps the index in step."""

import json

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from embeddings_app.admin.embeddings import STATE_COLOURS, RecordColumns
from embeddings_app.admin.read_only import ReadOnlyAdmin, ShownOnly
from embeddings_app.models import Document, EmbeddingRecord, RecordState
from embeddings_app.records.operations import SEARCH_LIMIT, find_by_prefix

_PREVIEW_CHARACTERS = 80
_NAMESPACE_PARAMETER = "namespace__id__exact"
_WORST_FIRST = (RecordState.QUARANTINED, RecordState.PENDING, RecordState.READY)


class _RecordInline(RecordColumns, ShownOnly, TabularInline):
    """The document under each model version."""

    model = EmbeddingRecord
    verbose_name_plural = "embeddings"
    fields = readonly_fields = ("model_version", "state_label", "embedded", "attempts", "next_attempt_at", "last_error")
    extra = 0
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmbeddingRecord]:
        records: QuerySet[EmbeddingRecord] = super().get_queryset(request)
        return records.select_related("model_version", "document")


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    list_display = ("doc_id", "namespace", "preview", "embedding", "revision", "updated_at")
    list_filter = (("namespace", AutocompleteSelectFilter),)
    list_select_related = ("namespace",)
    search_fields = ("doc_id",)
    search_help_text = f"Beginning of the document id; shows {SEARCH_LIMIT} at most"
    sortable_by = ()
    fields = (
        "doc_id",
        "namespace",
        "text",
        "metadata_json",
        "revision",
        "text_revision",
        "is_deleted",
        "created_at",
        "updated_at",
    )
    inlines = (_RecordInline,)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """The newest first; in one namespace by the ids, since that is the order of its index."""
        return ("namespace_id", "doc_id") if request.GET.get(_NAMESPACE_PARAMETER) else ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        documents: QuerySet[Document] = super().get_queryset(request)
        match = request.resolver_match
        if match is None or not (match.url_name or "").endswith("_changelist"):
            return documents
        records = EmbeddingRecord.objects.only("document_id", "state", "text_revision")
        return (
            documents.annotate(beginning=Left("text", _PREVIEW_CHARACTERS))
            .defer("text", "metadata")
            .prefetch_related(Prefetch("embeddingrecord_set", records))
        )

    @display(description="text")
    def preview(self, document: Document) -> str:
        beginning: str = getattr(document, "beginning", "")
        return beginning + ("…" if len(beginning) == _PREVIEW_CHARACTERS else "")

    @display(description="embedding", label={**STATE_COLOURS, "deleted": "info", "stale": "warning"})
    def embedding(self, document: Document) -> str:
        if document.deleted:
            return "deleted"
        records = list(document.embeddingrecord_set.all())
        states = {record.state for record in records}
        worst = next((state for state in _WORST_FIRST if state in states), None)
        if worst == RecordState.READY and any(0 < record.text_revision < document.text_revision for record in records):
            return "stale"
        return str(worst or "none")

    @display(description="metadata")
    def metadata_json(self, document: Document) -> str:
        return format_html("<pre>{}</pre>", json.dumps(document.metadata, ensure_ascii=False, indent=2))

    @display(description="deleted")
    def is_deleted(self, document: Document) -> str:
        return "yes, its revisions stay" if document.deleted else "no"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Document], search_term: str
    ) -> tuple[QuerySet[Document], bool]:
        """By prefix, in the order of the ids: the index on (namespace, id) is all that is read."""
        if not search_term:
            return queryset, False
        namespace = request.GET.get(_NAMESPACE_PARAMETER, "")
        keys = find_by_prefix(search_term, int(namespace) if namespace.isdecimal() else None)
        return queryset.filter(pk__in=keys).order_by("namespace_id", "doc_id"), False
