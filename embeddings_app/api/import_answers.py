"""An import in an answer."""

from typing import Any

from embeddings_app.api.requests.paging import MAX_KEY
from embeddings_app.api.schema import parts
from embeddings_app.api.version_answers import TIME
from embeddings_app.models import BulkFile, BulkJob, BulkState, BulkWish
from embeddings_app.services.bulk.progress import Progress

Json = dict[str, Any]
FILES_SHOWN = 100
_MAYBE_NUMBER = {"type": "number", "nullable": True}
OUTCOMES = ("read", "inserted", "updated", "unchanged", "superseded", "duplicates", "rejected")
_REJECT = parts.record(
    {
        "file": parts.STRING,
        "row": parts.described(parts.COUNT, "Row or line of the file, from 1."),
        "doc_id": {"type": "string", "nullable": True},
        "field": parts.STRING,
        "code": parts.described(parts.STRING, "Code that the API would answer."),
    }
)
_PLAN = parts.record(
    {
        "files": parts.COUNT,
        "rows": parts.described(parts.COUNT, "About."),
        "buckets": parts.COUNT,
        "database_bytes": parts.COUNT,
        "work_bytes": parts.COUNT,
        "seconds": parts.described(_MAYBE_NUMBER, "null where texts are embedded, unless it is a dry run."),
    },
    nullable=True,
)
IMPORT = parts.record(
    {
        "id": {"type": "integer", "minimum": 1, "maximum": MAX_KEY},
        "namespace": parts.STRING,
        "model_id": parts.STRING,
        "state": {"type": "string", "enum": [state.value for state in BulkState]},
        "wanted": parts.described(
            {"type": "string", "enum": [wish.value for wish in BulkWish]}, "What it was asked for last."
        ),
        "stage": parts.described(parts.STRING, "spreading for a planned import, else the state."),
        "progress": parts.described(parts.NUMBER, "Of the stage, 0 to 1."),
        "rows": parts.record(dict.fromkeys(OUTCOMES, parts.COUNT)),
        "rate": parts.described(_MAYBE_NUMBER, "Rows a second that were loaded lately; null while none is."),
        "eta_seconds": parts.described(_MAYBE_NUMBER, "Until all rows are loaded, at this rate."),
        "plan": parts.described(_PLAN, "What was expected; null until its files were looked at."),
        "files": parts.array(
            parts.record({"path": parts.STRING, "bytes": parts.COUNT, "rows": parts.COUNT, "rejected": parts.COUNT}),
            f"The first {FILES_SHOWN}; a large Parquet file stands here once for each of its parts.",
        ),
        "rejects_sample": parts.array(_REJECT, "At most 20, without texts."),
        "error": parts.described({"type": "string", "nullable": True}, "Why it failed; null unless it did."),
        "started_by": parts.STRING,
        "created_at": TIME,
        "ended_at": {**TIME, "nullable": True},
    }
)
EXAMPLE = {
    "id": 12,
    "namespace": "notes",
    "model_id": "all-MiniLM-L6-v2",
    "state": "loading",
    "wanted": "run",
    "stage": "loading",
    "progress": 0.4,
    "rows": {
        "read": 10000,
        "inserted": 3990,
        "updated": 0,
        "unchanged": 0,
        "superseded": 0,
        "duplicates": 5,
        "rejected": 5,
    },
    "rate": 140.2,
    "eta_seconds": 42.8,
    "plan": {
        "files": 1,
        "rows": 10000,
        "buckets": 5,
        "database_bytes": 53256000,
        "work_bytes": 10000000,
        "seconds": None,
    },
    "files": [{"path": "/data/notes.jsonl", "bytes": 4200000, "rows": 10000, "rejected": 5}],
    "rejects_sample": [
        {"file": "/data/notes.jsonl", "row": 17, "doc_id": "notes/17", "field": "text", "code": "empty_input"}
    ],
    "error": None,
    "started_by": "key:0123456789",
    "created_at": "2026-01-31T12:01:00+00:00",
    "ended_at": None,
}


def import_answer(job: BulkJob, found: Progress) -> Json:
    files = BulkFile.objects.filter(job=job).order_by("number")[:FILES_SHOWN]
    return {
        "id": job.pk,
        "namespace": job.namespace_name,
        "model_id": job.model_version.model_id,
        "state": job.state,
        "wanted": job.wanted,
        "stage": found.stage,
        "progress": found.share,
        "rows": {name: getattr(found.rows, name) for name in OUTCOMES},
        "rate": found.rate,
        "eta_seconds": found.eta_seconds,
        "plan": job.plan or None,
        "files": [
            {"path": file.path, "bytes": file.size, "rows": file.rows, "rejected": file.rejected} for file in files
        ],
        "rejects_sample": job.rejects_sample,
        "error": job.error or None,
        "started_by": job.actor,
        "created_at": job.created_at.isoformat(),
        "ended_at": job.ended_at.isoformat() if job.ended_at else None,
    }
