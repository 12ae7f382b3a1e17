"""Tables. Queries live in `records` and `registry`, decisions in `services`."""

from embeddings_app.models.access import ApiKey, AuditEvent, Scope
from embeddings_app.models.bulk import (
    OPEN_BULK_STATES,
    BulkBlock,
    BulkBucket,
    BulkBundle,
    BulkFile,
    BulkJob,
    BulkState,
    BulkTouched,
    BulkWish,
)
from embeddings_app.models.documents import Document, DocumentWords, Namespace
from embeddings_app.models.embeddings import EmbeddingRecord, EmbeddingVector, RecordState
from embeddings_app.models.hot_texts import HotTexts
from embeddings_app.models.jobs import JobRun, JobState, Lease, RunOutcome
from embeddings_app.models.kept_answers import KeptAnswer
from embeddings_app.models.model_aliases import ModelAlias
from embeddings_app.models.model_registry import (
    EDITABLE_STATUSES,
    LIVE_STATUSES,
    SEARCHABLE_STATUSES,
    ModelRegistry,
    ModelStatus,
)
from embeddings_app.models.quality import JudgedQuery, Judgement, SearchSample, VersionMeasurement
from embeddings_app.models.reembedding import OPEN_STATES, ReembedChunk, ReembedRun, RunState
from embeddings_app.models.shards import (
    WRITTEN_LAYOUTS,
    Layout,
    LayoutStatus,
    LogEpoch,
    ReplicaState,
    ShardChange,
    ShardCounter,
    ShardReplica,
)

__all__ = [
    "EDITABLE_STATUSES",
    "LIVE_STATUSES",
    "OPEN_BULK_STATES",
    "OPEN_STATES",
    "SEARCHABLE_STATUSES",
    "WRITTEN_LAYOUTS",
    "ApiKey",
    "AuditEvent",
    "BulkBlock",
    "BulkBucket",
    "BulkBundle",
    "BulkFile",
    "BulkJob",
    "BulkState",
    "BulkTouched",
    "BulkWish",
    "Document",
    "DocumentWords",
    "EmbeddingRecord",
    "EmbeddingVector",
    "HotTexts",
    "JobRun",
    "JobState",
    "JudgedQuery",
    "Judgement",
    "KeptAnswer",
    "Layout",
    "LayoutStatus",
    "Lease",
    "LogEpoch",
    "ModelAlias",
    "ModelRegistry",
    "ModelStatus",
    "Namespace",
    "RecordState",
    "ReembedChunk",
    "ReembedRun",
    "ReplicaState",
    "RunOutcome",
    "RunState",
    "Scope",
    "SearchSample",
    "ShardChange",
    "ShardCounter",
    "ShardReplica",
    "VersionMeasurement",
]
