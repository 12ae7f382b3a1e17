"""POST and GET /v1/imports, GET /v1/imports/{import_id}; POST pause, resume and abort of an import"""

from rest_framework.request import Request
from rest_framework.response import Response

from embeddings_app.api.import_answers import EXAMPLE, IMPORT, OUTCOMES, import_answer
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.parsing import json_object, optional_object
from embeddings_app.api.requests.fields import Fields
from embeddings_app.api.requests.names import model_id_of, namespace_of
from embeddings_app.api.requests.paging import PAGE_PARAMETERS, import_in_path, page_of
from embeddings_app.api.requests.version_bodies import no_fields
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts, paths
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import BulkJob, BulkWish, Scope
from embeddings_app.services import audit
from embeddings_app.services.bulk.imports import ImportOptions, find_import, newest_imports, start_import
from embeddings_app.services.bulk.jobs import want
from embeddings_app.services.bulk.progress import progress

_MAX_SOURCE, _MAX_COLUMN, _MAX_KEY = 1_024, 256, 128
_MAX_REJECTS = 10**9
_NAME = {"type": "string", "minLength": 1, "maxLength": _MAX_COLUMN}
_COLUMNS = parts.request_body(
    dict.fromkeys(("id", "text", "vector", "metadata"), _NAME), optional=("id", "text", "vector", "metadata")
)
_NEW = parts.request_body(
    {
        "source": parts.described(
            {"type": "string", "minLength": 1, "maxLength": _MAX_SOURCE},
            "An absolute path or s3://bucket/key below a prefix of BULK_SOURCES: a file, a folder or prefix, or a "
            "pattern with *, ? and [.",
        ),
        "namespace": parts.NAMESPACE,
        "model_id": parts.MODEL_ID,
        "format": {"type": "string", "enum": ["auto", "parquet", "jsonl"], "default": "auto"},
        "columns": parts.described(
            _COLUMNS, "Names of the columns or members, where they are not id, text, vector and metadata."
        ),
        "on_existing": parts.described(
            {"type": "string", "enum": ["update", "skip", "fail"], "default": "update"},
            "What becomes of documents that exist.",
        ),
        "max_rejects": parts.described(
            {"type": "integer", "minimum": 0, "maximum": _MAX_REJECTS, "default": 1000},
            "It fails when more rows are rejected.",
        ),
        "dry_run": parts.described(
            parts.BOOLEAN, "Look at the files, say in `plan` what it would take, and end.", default=False
        ),
        "idempotency_key": parts.described(
            {"type": "string", "minLength": 1, "maxLength": _MAX_KEY},
            "The same key again means the same import; with another request it is refused.",
        ),
    },
    optional=(
        *("namespace", "model_id", "format", "columns", "on_existing", "max_rejects", "dry_run"),
        "idempotency_key",
    ),
)
_LIST = parts.record(
    {"imports": parts.array(IMPORT, "The newest first; those that the key may see."), "next": paths.NEXT}
)
_QUEUED = {
    **EXAMPLE,
    "state": "queued",
    "stage": "queued",
    "progress": 0.0,
    "plan": None,
    "files": [],
    "rows": dict.fromkeys(OUTCOMES, 0),
    "rate": None,
    "eta_seconds": None,
    "rejects_sample": [],
}
_PAUSED = {**EXAMPLE, "wanted": "pause"}
_ERRORS = (*errors.GUARDED, "unknown_import")
_STEP = (*_ERRORS, *errors.BODY, "illegal_step", "busy")


class Imports(ApiView):
    scopes = {"GET": (Scope.OPERATE, Scope.ADMIN), "POST": (Scope.ADMIN,)}
    parameters = {"GET": PAGE_PARAMETERS}

    @operation(
        "list_imports",
        "List the imports",
        tag="imports",
        description="Bulk jobs of the command too.",
        parameters=paths.PAGE,
        answers=[Answer(_LIST, "A page of them.", {"one import": {"imports": [EXAMPLE], "next": None}})],
        errors=errors.GUARDED,
    )
    def get(self, request: Request) -> Response:
        page = page_of(request.query_params)
        found = newest_imports(caller_of(request).namespaces, page.limit + 1, before=page.after)
        shown = [import_answer(job, progress(job)) for job in found[: page.limit]]
        return Response({"imports": shown, "next": shown[-1]["id"] if len(found) > page.limit else None})

    @operation(
        "start_import",
        "Load files into a namespace",
        tag="imports",
        description=(
            "The role `bulk` works on it. For a model that takes vectors the files bring them, for any other their "
            "texts are embedded. The namespace is made, as by a write, if there is none and files were found."
        ),
        body=_NEW,
        body_examples={"a folder": {"source": "/data/notes", "namespace": "notes", "idempotency_key": "notes-1"}},
        answers=[Answer(IMPORT, "It is queued, or was before.", {"queued": _QUEUED}, status=202)],
        errors=[
            *errors.GUARDED,
            *errors.NAMESPACED,
            *errors.BODY,
            *errors.MODEL,
            *errors.KEYED,
            *("source_not_allowed", "illegal_step", "model_mismatch", "invalid_text", "busy"),
        ],
    )
    def post(self, request: Request) -> Response:
        fields = Fields(json_object(request), _NEW)
        namespace = namespace_of(fields)
        caller_of(request).require_namespace(namespace)
        options = ImportOptions(
            source=_filled(fields, "source", required=True) or "",
            format=fields.choice("format"),
            columns=_columns(fields),
            on_existing=fields.choice("on_existing"),
            max_rejects=fields.integer("max_rejects"),
            dry_run=fields.flag("dry_run"),
        )
        key = _filled(fields, "idempotency_key")
        job = start_import(namespace, model_id_of(fields), options, key, _actor(request))
        return _answer(job, status=202)


class Import(ApiView):
    scopes = {"GET": (Scope.OPERATE, Scope.ADMIN)}

    @operation(
        "get_import",
        "Read how far an import is",
        tag="imports",
        parameters=[paths.IMPORT_ID],
        answers=[Answer(IMPORT, "The import.", {"an import": EXAMPLE})],
        errors=_ERRORS,
    )
    def get(self, request: Request, import_id: str) -> Response:
        return _answer(_named(request, import_id))


class _Step(ApiView):
    scopes = {"POST": (Scope.OPERATE, Scope.ADMIN)}
    wish: BulkWish

    def _ask(self, request: Request, import_id: str) -> Response:
        no_fields(optional_object(request))
        job = _named(request, import_id)
        want(job, self.wish, _actor(request), by_role=True)
        return _answer(job)


class PauseImport(_Step):
    wish = BulkWish.PAUSE

    @operation(
        "pause_import",
        "Pause an import",
        tag="imports",
        description="It stops after the buckets that are under way, or at once where it embeds. No body.",
        parameters=[paths.IMPORT_ID],
        answers=[Answer(IMPORT, "The import.", {"asked": _PAUSED})],
        errors=_STEP,
    )
    def post(self, request: Request, import_id: str) -> Response:
        return self._ask(request, import_id)


class ResumeImport(_Step):
    wish = BulkWish.RUN

    @operation(
        "resume_import",
        "Go on with an import that was paused or failed",
        tag="imports",
        description="The role `bulk` goes on with it within seconds. No body.",
        parameters=[paths.IMPORT_ID],
        answers=[Answer(IMPORT, "The import.", {"an import": EXAMPLE})],
        errors=_STEP,
    )
    def post(self, request: Request, import_id: str) -> Response:
        return self._ask(request, import_id)


class AbortImport(_Step):
    wish = BulkWish.ABORT

    @operation(
        "abort_import",
        "End an import and delete what it inserted",
        tag="imports",
        description=(
            "Documents that it updated stay as they are, and those that a client changed since. Once documents become "
            "visible there is no abort. No body."
        ),
        parameters=[paths.IMPORT_ID],
        answers=[Answer(IMPORT, "The import.", {"asked": {**EXAMPLE, "wanted": "abort"}})],
        errors=_STEP,
    )
    def post(self, request: Request, import_id: str) -> Response:
        return self._ask(request, import_id)


def _filled(fields: Fields, name: str, *, required: bool = False) -> str | None:
    if required:
        fields.required(name)
    return fields.optional_string(name)


def _columns(fields: Fields) -> dict[str, str]:
    value = fields.optional("columns")
    if value is None:
        return {}
    named = Fields(value, _COLUMNS, "columns")
    found = {name: named.optional_string(name) for name in ("id", "text", "vector", "metadata")}
    return {"doc_id" if name == "id" else name: column for name, column in found.items() if column}


def _named(request: Request, import_id: str) -> BulkJob:
    return find_import(import_in_path(import_id), caller_of(request).namespaces)


def _actor(request: Request) -> str:
    return audit.caller_actor(caller_of(request).name)


def _answer(job: BulkJob, status: int = 200) -> Response:
    return Response(import_answer(job, progress(job)), status=status)
