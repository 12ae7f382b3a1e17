"""GET /v1/reembed-runs, GET /v1/reembed-runs/{run_id} and its failed texts; POST pause, resume and cancel of a run"""

from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.errors import ServiceError
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.parsing import optional_object
from embeddings_app.api.requests.paging import PAGE_PARAMETERS, page_of, run_in_path
from embeddings_app.api.requests.version_bodies import REASON, no_fields, reason
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.run_answers import EXAMPLE, RUN, run_answer
from embeddings_app.api.schema import errors, parts, paths
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import ReembedRun, Scope
from embeddings_app.services import audit
from embeddings_app.services.reembedding import runs
from embeddings_app.services.reembedding.progress import failed_texts, newest_runs, progress

_RUNS = parts.record({"runs": parts.array(RUN, "The newest first."), "next": paths.NEXT})
_FAILED = parts.record(
    {
        "failed_texts": parts.array(
            parts.record(
                {
                    "namespace": parts.STRING,
                    "id": parts.DOC_ID,
                    "reason": parts.described(parts.STRING, "Code of the error, or text_not_kept."),
                }
            )
        ),
        "next": paths.NEXT,
    }
)
_FAILED_EXAMPLE = {
    "failed_texts": [{"namespace": "default", "id": "notes/1", "reason": "text_not_kept"}],
    "next": None,
}
_ERRORS = (*errors.GUARDED, "unknown_run")
_STEP = (*_ERRORS, *errors.BODY, "illegal_step", "busy")


class Runs(ApiView):
    scopes = {"GET": (Scope.OPERATE, Scope.ADMIN)}
    parameters = {"GET": PAGE_PARAMETERS}

    @operation(
        "list_runs",
        "List the re-embedding runs",
        tag="models",
        parameters=paths.PAGE,
        answers=[Answer(_RUNS, "A page of them.", {"one run": {"runs": [EXAMPLE], "next": None}})],
        errors=errors.GUARDED,
    )
    def get(self, request: Request) -> Response:
        page = page_of(request.query_params)
        found = newest_runs(page.limit + 1, before=page.after)
        shown = [run_answer(run, how_far) for run, how_far in found[: page.limit]]
        return Response({"runs": shown, "next": shown[-1]["id"] if len(found) > page.limit else None})


class Run(ApiView):
    scopes = {"GET": (Scope.OPERATE, Scope.ADMIN)}

    @operation(
        "get_run",
        "Read how far a re-embedding run is",
        tag="models",
        parameters=[paths.RUN_ID],
        answers=[Answer(RUN, "The run.", {"a run": EXAMPLE})],
        errors=_ERRORS,
    )
    def get(self, _request: Request, run_id: str) -> Response:
        return _answer(_named_run(run_id))


class FailedTexts(ApiView):
    scopes = {"GET": (Scope.OPERATE, Scope.ADMIN)}
    parameters = {"GET": PAGE_PARAMETERS}

    @operation(
        "list_failed_texts",
        "List the documents that a re-embedding run could not embed",
        tag="models",
        description="Of all namespaces, so a key that is limited to some is refused.",
        parameters=[paths.RUN_ID, *paths.PAGE],
        answers=[Answer(_FAILED, "A page of them.", {"one document": _FAILED_EXAMPLE})],
        errors=[*_ERRORS, *errors.NAMESPACED],
    )
    def get(self, request: Request, run_id: str) -> Response:
        if caller_of(request).namespaces:
            raise ServiceError("forbidden_namespace")
        page = page_of(request.query_params)
        found = failed_texts(_named_run(run_id), page.after or 0, page.limit + 1)
        shown = found[: page.limit]
        texts = [{"namespace": text.namespace, "id": text.doc_id, "reason": text.reason} for text in shown]
        return Response({"failed_texts": texts, "next": shown[-1].record_key if len(found) > page.limit else None})


class Pause(ApiView):
    scopes = {"POST": (Scope.OPERATE, Scope.ADMIN)}

    @operation(
        "pause_run",
        "Pause a re-embedding run",
        tag="models",
        description="It stops after the batches that are under way. No body.",
        parameters=[paths.RUN_ID],
        answers=[Answer(RUN, "The run.", {"paused": {**EXAMPLE, "state": "paused", "seconds_left": None}})],
        errors=_STEP,
    )
    def post(self, request: Request, run_id: str) -> Response:
        no_fields(optional_object(request))
        run = _named_run(run_id)
        runs.pause(run, _actor(request))
        return _answer(run)


class Resume(ApiView):
    scopes = {"POST": (Scope.OPERATE, Scope.ADMIN)}

    @operation(
        "resume_run",
        "Go on with a paused re-embedding run",
        tag="models",
        description="It goes on within a few seconds. No body.",
        parameters=[paths.RUN_ID],
        answers=[Answer(RUN, "The run.", {"a run": EXAMPLE})],
        errors=_STEP,
    )
    def post(self, request: Request, run_id: str) -> Response:
        no_fields(optional_object(request))
        run = _named_run(run_id)
        runs.resume(run, _actor(request))
        return _answer(run)


class Cancel(ApiView):
    scopes = {"POST": (Scope.OPERATE, Scope.ADMIN)}

    @operation(
        "cancel_run",
        "Cancel a re-embedding run",
        tag="models",
        description="Its version is probed again, and loses the vectors that it got.",
        parameters=[paths.RUN_ID],
        body=REASON,
        body_examples={"with a reason": {"reason": "the wrong version"}},
        answers=[Answer(RUN, "The run.", {"cancelled": {**EXAMPLE, "state": "cancelled", "seconds_left": None}})],
        errors=[*_STEP, "invalid_text"],
    )
    def post(self, request: Request, run_id: str) -> Response:
        why = reason(optional_object(request))
        run = _named_run(run_id)
        runs.cancel(run, _actor(request), why)
        return _answer(run)


def _named_run(run_id: str) -> ReembedRun:
    return runs.find_run(run_in_path(run_id))


def _actor(request: Request) -> str:
    return audit.caller_actor(caller_of(request).name)


def _answer(run: ReembedRun) -> Response:
    return Response(run_answer(run, progress(run)))
