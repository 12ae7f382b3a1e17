"""The admin: home of the models, and windows on documents, embeddings and shards. Whatever changes calls a service."""

from embeddings_app.admin.documents import DocumentAdmin, NamespaceAdmin
from embeddings_app.admin.embeddings import EmbeddingRecordAdmin
from embeddings_app.admin.model_registry import ModelRegistryAdmin
from embeddings_app.admin.shards import LayoutAdmin, ShardReplicaAdmin

__all__ = [
    "DocumentAdmin",
    "EmbeddingRecordAdmin",
    "LayoutAdmin",
    "ModelRegistryAdmin",
    "NamespaceAdmin",
    "ShardReplicaAdmin",
]
