"""Where each document stands under each model version."""

from django.contrib import admin
from django.utils.text import Truncator

from embeddings_app.admin.paging import EstimatingPaginator
from embeddings_app.admin.read_only import ReadOnlyAdmin
from embeddings_app.models import EmbeddingRecord

_PREVIEW_CHARACTERS = 80


@admin.register(EmbeddingRecord)
class EmbeddingRecordAdmin(ReadOnlyAdmin):
    list_display = ("document", "model_version", "state", "text_revision", "attempts", "next_attempt_at", "error")
    list_filter = ("state", "model_version")
    list_select_related = ("document", "model_version")
    ordering = ("-id",)
    sortable_by = ()
    paginator = EstimatingPaginator
    show_full_result_count = False

    @admin.display(description="last error")
    def error(self, record: EmbeddingRecord) -> str:
        return Truncator(record.last_error).chars(_PREVIEW_CHARACTERS)
