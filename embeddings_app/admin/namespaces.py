"""Namespaces: mostly to look at, since they come into being by the first write."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display

from embeddings_app.admin.paging import EstimatedChangeList, EstimatingPaginator
from embeddings_app.models import Namespace
from embeddings_app.records.operations import DocumentCount, count_documents


class _CountingChangeList(EstimatedChangeList):
    """Puts the number of documents to each namespace of the page, all in one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        counts = count_documents([namespace.pk for namespace in self.result_list])
        for namespace in self.result_list:
            namespace.document_count = counts[namespace.pk]


@admin.register(Namespace)
class NamespaceAdmin(ModelAdmin):
    """A namespace may be made before its first write, and its texts be kept or not; the rest follows from writes."""

    list_display = ("name", "model_id", "documents", "keeps_texts", "created_at")
    search_fields = ("name",)
    search_help_text = "Part of the name"
    ordering = ("name",)
    actions = None
    list_per_page = 50
    paginator = EstimatingPaginator
    show_full_result_count = False

    def get_fields(self, _request: HttpRequest, obj: Namespace | None = None) -> tuple[str, ...]:
        writable = ("name", "model_id", "store_text")
        return writable if obj is None else (*writable, "documents", "metadata_fields", "created_at")

    def get_readonly_fields(self, _request: HttpRequest, obj: Namespace | None = None) -> tuple[str, ...]:
        return () if obj is None else ("name", "model_id", "documents", "metadata_fields", "created_at")

    def get_changelist(self, _request: HttpRequest, **_more: Any) -> type[EstimatedChangeList]:
        return _CountingChangeList

    def has_delete_permission(self, _request: HttpRequest, _obj: Namespace | None = None) -> bool:
        return False

    @display(description="documents")
    def documents(self, namespace: Namespace) -> str:
        counted: DocumentCount | None = getattr(namespace, "document_count", None)
        return str(counted or count_documents([namespace.pk])[namespace.pk])

    @display(description="keeps texts", boolean=True)
    def keeps_texts(self, namespace: Namespace) -> bool:
        return namespace.store_text

    @display(description="metadata fields", empty_value="none yet")
    def metadata_fields(self, namespace: Namespace) -> str | None:
        return ", ".join(namespace.fields) or None
