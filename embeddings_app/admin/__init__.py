"""The admin: home of models and keys, windows on documents, embeddings and shards. Whatever changes calls a service."""

from embeddings_app.admin.accounts import ThemedGroupAdmin, ThemedUserAdmin
from embeddings_app.admin.api_keys import ApiKeyAdmin
from embeddings_app.admin.audit import AuditEventAdmin
from embeddings_app.admin.bulk_jobs import BulkJobAdmin
from embeddings_app.admin.documents import DocumentAdmin
from embeddings_app.admin.embeddings import EmbeddingRecordAdmin
from embeddings_app.admin.job_runs import JobRunAdmin
from embeddings_app.admin.model_aliases import ModelAliasAdmin
from embeddings_app.admin.model_registry import ModelRegistryAdmin
from embeddings_app.admin.namespaces import NamespaceAdmin
from embeddings_app.admin.runs import ReembedRunAdmin
from embeddings_app.admin.schedule import ScheduleAdmin
from embeddings_app.admin.shards import LayoutAdmin, ShardAdmin, ShardReplicaAdmin

__all__ = [
    "ApiKeyAdmin",
    "AuditEventAdmin",
    "BulkJobAdmin",
    "DocumentAdmin",
    "EmbeddingRecordAdmin",
    "JobRunAdmin",
    "LayoutAdmin",
    "ModelAliasAdmin",
    "ModelRegistryAdmin",
    "NamespaceAdmin",
    "ReembedRunAdmin",
    "ScheduleAdmin",
    "ShardAdmin",
    "ShardReplicaAdmin",
    "ThemedGroupAdmin",
    "ThemedUserAdmin",
]
