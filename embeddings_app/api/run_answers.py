"""A re-embedding run in an answer."""

from typing import Any

from embeddings_app.api.requests.paging import MAX_KEY
from embeddings_app.api.schema import parts
from embeddings_app.api.version_answers import TIME
from embeddings_app.models import ReembedRun, RunState
from embeddings_app.services.reembedding.progress import RunProgress

Json = dict[str, Any]
_MAYBE_NUMBER = {"type": "number", "nullable": True}
ESTIMATE = parts.record(
    {
        "documents": parts.COUNT,
        "counted": parts.described(parts.BOOLEAN, "If not, `documents` is an estimate too."),
        "tokens": parts.COUNT,
        "cached_share": parts.described(parts.NUMBER, "Of sampled texts, those whose vector is cached, 0 to 1."),
        "without_text": parts.described(
            parts.NUMBER, "Share of sampled documents whose text is not stored: clients must send them again."
        ),
        "seconds": parts.described(_MAYBE_NUMBER, "At the measured speed of the embedders; null when none is known."),
        "disk_bytes": parts.COUNT,
        "memory_bytes": parts.described(parts.COUNT, "On all nodes together."),
    }
)
ESTIMATE_EXAMPLE = {
    "documents": 1200,
    "counted": True,
    "tokens": 31200,
    "cached_share": 0.25,
    "without_text": 0.0,
    "seconds": 9.4,
    "disk_bytes": 9004800,
    "memory_bytes": 4406400,
}
RUN = parts.record(
    {
        "id": {"type": "integer", "minimum": 1, "maximum": MAX_KEY},
        "model_id": parts.STRING,
        "model_version": parts.described({"type": "integer", "minimum": 1}, "The version that the run fills."),
        "state": {"type": "string", "enum": [state.value for state in RunState]},
        "share": parts.described(parts.NUMBER, "Of the documents that are done, 0 to 1."),
        "documents": parts.described(parts.COUNT, "Documents of the model when the run began."),
        "embedded": parts.described(parts.COUNT, "Documents that got their vector."),
        "cached": parts.described(parts.COUNT, "Of these, vectors that came from the cache."),
        "refused": parts.described(parts.COUNT, "Texts that failed by themselves; they are tried again."),
        "not_kept": parts.described(parts.COUNT, "Documents whose text is not stored: clients must send them again."),
        "documents_per_second": parts.described(parts.NUMBER, "On the average of the run, its pauses included."),
        "documents_per_second_limit": parts.described(_MAYBE_NUMBER, "The fastest that it may be; null for no limit."),
        "seconds_left": parts.described(_MAYBE_NUMBER, "Null unless it runs and has done something."),
        "problem": parts.described(
            {"type": "string", "nullable": True}, "Code of what held up its newest try; null when nothing did."
        ),
        "estimate": parts.described(
            {"type": "object", "additionalProperties": True}, "What it was expected to take, when it began."
        ),
        "started_by": parts.STRING,
        "started_at": TIME,
        "progressed_at": parts.described(TIME, "When it last got on."),
        "ended_at": {**TIME, "nullable": True},
    }
)
EXAMPLE = {
    "id": 3,
    "model_id": "org/my-model",
    "model_version": 2,
    "state": "running",
    "share": 0.42,
    "documents": 1200,
    "embedded": 504,
    "cached": 120,
    "refused": 0,
    "not_kept": 0,
    "documents_per_second": 126.0,
    "documents_per_second_limit": None,
    "seconds_left": 5.5,
    "problem": None,
    "estimate": ESTIMATE_EXAMPLE,
    "started_by": "key:0123456789",
    "started_at": "2026-01-31T12:01:00+00:00",
    "progressed_at": "2026-01-31T12:01:04+00:00",
    "ended_at": None,
}


def run_answer(run: ReembedRun, progress: RunProgress) -> Json:
    counts = progress.counts
    return {
        "id": run.pk,
        "model_id": run.model_id,
        "model_version": run.model_version.version,
        "state": run.state,
        "share": progress.share,
        "documents": progress.total,
        "embedded": counts.embedded,
        "cached": counts.cached,
        "refused": counts.refused,
        "not_kept": counts.not_kept,
        "documents_per_second": progress.documents_per_second,
        "documents_per_second_limit": run.documents_per_second,
        "seconds_left": progress.seconds_left,
        "problem": run.problem or None,
        "estimate": run.estimate,
        "started_by": run.started_by,
        "started_at": run.started_at.isoformat(),
        "progressed_at": run.progressed_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
    }
