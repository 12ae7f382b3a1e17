"""GET /v1/activity and GET /v1/cluster: what operators look at, as the console shows it"""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.messages import Lane
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.run_answers import EXAMPLE as RUN_EXAMPLE
from embeddings_app.api.run_answers import RUN, run_answer
from embeddings_app.api.schema import errors, parts
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.api.version_answers import TIME
from embeddings_app.models import BulkState, ReplicaState, Scope
from embeddings_app.records.operations import ReplicaProgress
from embeddings_app.services.backups.progress import BackupStatus, newest_backups
from embeddings_app.services.operating import service_state
from embeddings_app.services.operating.activity import SHOWN, BulkProgress, newest_bulk_jobs
from embeddings_app.services.reembedding.progress import newest_runs
from embeddings_app.services.search.notable import NotableSearch, notable_searches
from embeddings_app.services.topology import topology

Json = dict[str, Any]
_MAYBE_NUMBER = {"type": "number", "nullable": True}
_MAYBE_COUNT = {**parts.COUNT, "nullable": True}
_MAYBE_TIME = {**TIME, "nullable": True}
_WAITING = parts.record(
    {"model_id": parts.STRING, "version": parts.COUNT, "pending": parts.COUNT, "quarantined": parts.COUNT}
)
_BULK = parts.record(
    {
        "job_id": parts.COUNT,
        "namespace": parts.STRING,
        "model_id": parts.STRING,
        "state": {"type": "string", "enum": [state.value for state in BulkState]},
        "stage": parts.described(parts.STRING, "spreading for a planned import, else the state."),
        "share": parts.described(parts.NUMBER, "Of the stage, 0 to 1."),
        "rows_read": parts.COUNT,
        "rows_settled": parts.COUNT,
        "rejected": parts.COUNT,
        "rows_per_second": _MAYBE_NUMBER,
        "seconds_left": _MAYBE_NUMBER,
        "problem": parts.STRING,
        "started_at": TIME,
        "ended_at": _MAYBE_TIME,
    }
)
_BACKUP = parts.record(
    {
        "directory": parts.STRING,
        "actor": parts.STRING,
        "state": {"type": "string", "enum": ["running", "made", "failed"]},
        "stage": parts.described(parts.STRING, "copying, models or verifying; empty for one that has ended."),
        "share": parts.described(_MAYBE_NUMBER, "Of the stage, 0 to 1; null when unknown."),
        "bytes": parts.described(parts.COUNT, "Of the stage so far; of all files when it was made."),
        "bytes_per_second": _MAYBE_NUMBER,
        "seconds_left": parts.described(_MAYBE_NUMBER, "Of the stage."),
        "problem": parts.STRING,
        "started_at": TIME,
        "ended_at": _MAYBE_TIME,
    }
)
_SEARCH = parts.record(
    {
        "at": TIME,
        "namespace": parts.STRING,
        "model": parts.described(parts.STRING, "With its version, as `model@1`."),
        "timings_ms": {"type": "object", "additionalProperties": parts.NUMBER},
        "hits": parts.COUNT,
        "filter_fields": parts.array(parts.STRING, "The fields that the filter compares, without the values."),
        "partial": parts.BOOLEAN,
        "request_id": parts.STRING,
        "text": parts.described({"type": "string", "nullable": True}, "Null unless the operator lets texts be kept."),
    }
)
_ACTIVITY = parts.record(
    {
        "waiting": parts.array(_WAITING, "Texts of each model version that are not embedded.", nullable=True),
        "oldest_pending_seconds": _MAYBE_NUMBER,
        "runs": parts.array(RUN, "The newest re-embeddings."),
        "bulk_jobs": parts.array(_BULK, "The newest bulk jobs."),
        "backups": parts.array(_BACKUP, "Those that are being made, then the newest that ended."),
        "searches": parts.array(_SEARCH, "Slow ones, and those that found nothing, the newest first.", nullable=True),
    }
)
_ACTIVITY_EXAMPLE = {
    "waiting": [{"model_id": "all-MiniLM-L6-v2", "version": 1, "pending": 40, "quarantined": 0}],
    "oldest_pending_seconds": 1.4,
    "runs": [RUN_EXAMPLE],
    "bulk_jobs": [],
    "backups": [
        {
            "directory": "/backups/monday",
            "actor": "command:root",
            "state": "running",
            "stage": "copying",
            "share": 0.42,
            "bytes": 910000000,
            "bytes_per_second": 65000000.0,
            "seconds_left": 19.3,
            "problem": "",
            "started_at": "2026-01-31T12:00:00+00:00",
            "ended_at": None,
        }
    ],
    "searches": [
        {
            "at": "2026-01-31T12:00:00+00:00",
            "namespace": "default",
            "model": "all-MiniLM-L6-v2@1",
            "timings_ms": {"embed": 610.0, "shards": 8.1, "total": 619.5},
            "hits": 10,
            "filter_fields": ["lang"],
            "partial": False,
            "request_id": "4f1c2a9e77d0b3a1",
            "text": None,
        }
    ],
}
_PLACE = parts.record(
    {
        "shard": parts.COUNT,
        "replica": parts.COUNT,
        "model_id": parts.STRING,
        "version": parts.COUNT,
        "state": {"type": "string", "enum": [state.value for state in ReplicaState]},
        "ready": parts.described(parts.BOOLEAN, "Whether searches may go there."),
        "problem": parts.STRING,
        "lag": parts.described(parts.COUNT, "Log entries that it has not applied."),
        "documents": parts.COUNT,
        "graph_documents": parts.described(parts.COUNT, "Those in graphs."),
        "loading_total": parts.COUNT,
        "heartbeat_seconds": parts.NUMBER,
        "snapshot_seconds": parts.described(_MAYBE_NUMBER, "Since its newest snapshot; null without one."),
        "memory_bytes": parts.described(
            _MAYBE_COUNT, "Of the node's process, with all indexes that it serves; null when it does not say."
        ),
        "free_memory_bytes": parts.described(_MAYBE_COUNT, "What the process may still take."),
        "vector_bytes": parts.described(parts.COUNT, "Of the numbers of one vector in a graph."),
    }
)
_LANE = parts.record({"tokens": parts.NUMBER, "seconds": _MAYBE_NUMBER})
_EMBEDDERS = parts.described(
    parts.record(
        {
            "count": parts.COUNT,
            "tokens_per_second": parts.described(
                {"type": "object", "additionalProperties": parts.NUMBER}, "Of one embedder, by model version."
            ),
            "backlog": parts.record({lane.value: _LANE for lane in Lane}),
        }
    ),
    "Together.",
    nullable=True,
)
_CLUSTER = parts.record(
    {
        "shards": parts.COUNT,
        "replicas": parts.described(parts.COUNT, "Expected of each shard."),
        "places": parts.array(
            _PLACE, "One for each replica and model version that reported within the last hour.", nullable=True
        ),
        "embedders": _EMBEDDERS,
    }
)
_CLUSTER_EXAMPLE = {
    "shards": 1,
    "replicas": 1,
    "places": [
        {
            "shard": 0,
            "replica": 0,
            "model_id": "all-MiniLM-L6-v2",
            "version": 1,
            "state": "ready",
            "ready": True,
            "problem": "",
            "lag": 0,
            "documents": 1200,
            "graph_documents": 1100,
            "loading_total": 0,
            "heartbeat_seconds": 0.4,
            "snapshot_seconds": 61.0,
            "memory_bytes": 214000000,
            "free_memory_bytes": 3120000000,
            "vector_bytes": 1536,
        }
    ],
    "embedders": {
        "count": 1,
        "tokens_per_second": {"all-MiniLM-L6-v2@1": 2100.0},
        "backlog": {"interactive": {"tokens": 0.0, "seconds": 0.0}, "bulk": {"tokens": 900.0, "seconds": 0.4}},
    },
}


class Activity(ApiView):
    scopes = {"GET": (Scope.OPERATE, Scope.ADMIN)}

    @operation(
        "get_activity",
        "What is going on",
        tag="health",
        description=(
            "Work beside requests, and searches to look at; of these and of bulk jobs, those in the namespaces of the "
            "key, and backups only without such. What a server does not say now is null."
        ),
        answers=[Answer(_ACTIVITY, "Now.", {"a run": _ACTIVITY_EXAMPLE})],
        errors=errors.GUARDED,
    )
    def get(self, request: Request) -> Response:
        namespaces = caller_of(request).namespaces
        work, searches = service_state.waiting_work(), notable_searches().newest(namespaces)
        return Response(
            {
                "waiting": None if work is None else [asdict(one) for one in work.versions],
                "oldest_pending_seconds": None if work is None else round(work.oldest_pending_seconds, 1),
                "runs": [run_answer(run, how_far) for run, how_far in newest_runs(SHOWN)],
                "bulk_jobs": [_bulk(job) for job in newest_bulk_jobs(namespaces)],
                # A backup is of all namespaces.
                "backups": [] if namespaces else [_backup(one) for one in newest_backups()],
                "searches": None if searches is None else [_search(one) for one in searches],
            }
        )


class Cluster(ApiView):
    scopes = {"GET": (Scope.OPERATE, Scope.ADMIN)}

    @operation(
        "get_cluster",
        "What the index nodes and the embedders report",
        tag="health",
        description="What a server does not say now is null.",
        answers=[Answer(_CLUSTER, "Now.", {"one node": _CLUSTER_EXAMPLE})],
        errors=errors.GUARDED,
    )
    def get(self, _request: Request) -> Response:
        stored, layout = service_state.stored_state(), topology()
        return Response(
            {
                "shards": layout.shards,
                "replicas": layout.replicas,
                "places": None if stored is None else [_place(one) for one in stored.replicas],
                "embedders": _embedders(),
            }
        )


def _bulk(job: BulkProgress) -> Json:
    moments = {name: moment and moment.isoformat() for name, moment in _moments(job).items()}
    return {**asdict(job), **moments}


def _moments(job: BulkProgress) -> dict[str, datetime | None]:
    return {"started_at": job.started_at, "ended_at": job.ended_at}


def _backup(backup: BackupStatus) -> Json:
    return {
        **asdict(backup),
        "started_at": _moment(backup.started_at),
        "ended_at": None if backup.ended_at is None else _moment(backup.ended_at),
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _search(search: NotableSearch) -> Json:
    return {**asdict(search), "at": _moment(search.at)}


def _place(place: ReplicaProgress) -> Json:
    values = {**asdict(place), "vector_bytes": place.vector_bytes}
    rounded = {name: round(values[name], 1) for name in ("heartbeat_seconds", "snapshot_seconds") if values[name]}
    return {name: values[name] for name in _PLACE["properties"]} | rounded


def _embedders() -> Json | None:
    load = service_state.embed_load()
    if load is None:
        return None
    backlog = {lane.value: (load.queued_tokens(lane), load.backlog_seconds(lane)) for lane in Lane}
    return {
        "count": load.embedders,
        "tokens_per_second": {model: round(speed, 1) for model, speed in load.speeds.items()},
        "backlog": {
            lane: {"tokens": round(tokens, 1), "seconds": None if seconds is None else round(seconds, 3)}
            for lane, (tokens, seconds) in backlog.items()
        },
    }
