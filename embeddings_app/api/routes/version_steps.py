"""POST /v1/models/{model_id}/versions/{version}/ probe, estimate, start, switch and retire"""

from dataclasses import asdict

from rest_framework.request import Request
from rest_framework.response import Response

from embeddings_app.api.admission import admission
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.parsing import optional_object
from embeddings_app.api.requests.version_bodies import (
    REASON,
    START,
    SWITCH,
    documents_per_second,
    no_fields,
    reason,
    switching,
)
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.routes.versions import named_version
from embeddings_app.api.run_answers import ESTIMATE, ESTIMATE_EXAMPLE, RUN, run_answer
from embeddings_app.api.run_answers import EXAMPLE as RUN_EXAMPLE
from embeddings_app.api.schema import errors, parts, paths
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.api.version_answers import EXAMPLE, VERSION, version_answer
from embeddings_app.models import ModelStatus, Scope
from embeddings_app.services import audit
from embeddings_app.services.model_versions.probing import PROBE_TEXTS, probe
from embeddings_app.services.model_versions.retiring import retire
from embeddings_app.services.model_versions.steps import way_on
from embeddings_app.services.model_versions.switching import switch
from embeddings_app.services.reembedding import runs
from embeddings_app.services.reembedding.estimating import estimate
from embeddings_app.services.reembedding.progress import progress

_PATH = (paths.MODEL_ID, paths.VERSION)
_ERRORS = (*errors.GUARDED, *errors.BODY, "unknown_model")
_STEP = (*_ERRORS, "illegal_step", "busy")
_REASON_EXAMPLE = {"with a reason": {"reason": "better on the questions of our users"}}
_PROBED = parts.record(
    {
        "passed": parts.BOOLEAN,
        "message": parts.described(parts.STRING, "What was seen, or what is wrong."),
        "version": VERSION,
    }
)
_PROBED_EXAMPLE = {"passed": True, "message": "4 texts, dimension 384", "version": EXAMPLE}
_SWITCHED = parts.record(
    {
        "before": parts.described(
            {"type": "integer", "minimum": 1, "nullable": True},
            "Number of the version that answered until now; null when none did.",
        ),
        "version": VERSION,
    }
)


def _in_status(status: ModelStatus) -> dict[str, object]:
    return {**EXAMPLE, "status": status.value, "next_step": way_on(status)}


class Probe(ApiView):
    scopes = {"POST": (Scope.OPERATE, Scope.ADMIN)}

    @operation(
        "probe_version",
        "Probe a version",
        tag="models",
        description="Embeds a few texts and checks the vectors. A draft that passes is probed. Takes as long as an "
        "embed request at most. No body.",
        parameters=_PATH,
        answers=[Answer(_PROBED, "What was found, whether good or bad.", {"passed": _PROBED_EXAMPLE})],
        errors=_STEP,
    )
    def post(self, request: Request, model_id: str, version: str) -> Response:
        no_fields(optional_object(request))
        found, caller = named_version(model_id, version), caller_of(request)
        with self.admitted(request, inputs=len(PROBE_TEXTS), places=admission().embeds):
            outcome = probe(found, audit.caller_actor(caller.name))
        answer = {"passed": outcome.ok, "message": outcome.message, "version": version_answer(found, caller)}
        return Response(answer)


class EstimateRun(ApiView):
    scopes = {"POST": (Scope.OPERATE, Scope.ADMIN)}

    @operation(
        "estimate_run",
        "Estimate what a re-embedding would take",
        tag="models",
        description="From a sample of the documents, the cache, and the speed of the embedders. No body.",
        parameters=_PATH,
        answers=[Answer(ESTIMATE, "The estimate.", {"an estimate": ESTIMATE_EXAMPLE})],
        errors=_ERRORS,
    )
    def post(self, request: Request, model_id: str, version: str) -> Response:
        no_fields(optional_object(request))
        return Response(asdict(estimate(named_version(model_id, version))))


class Start(ApiView):
    scopes = {"POST": (Scope.OPERATE, Scope.ADMIN)}

    @operation(
        "start_run",
        "Start to fill a version with the documents of its model",
        tag="models",
        parameters=_PATH,
        body=START,
        body_examples={"slowly": {"documents_per_second": 50}},
        answers=[Answer(RUN, "The run.", {"a run": RUN_EXAMPLE}, status=201)],
        errors=[*_STEP, "does_not_fit"],
    )
    def post(self, request: Request, model_id: str, version: str) -> Response:
        rate = documents_per_second(optional_object(request))
        actor = audit.caller_actor(caller_of(request).name)
        run = runs.start(named_version(model_id, version), actor, documents_per_second=rate)
        run = runs.find_run(run.pk)
        return Response(run_answer(run, progress(run)), status=201)


class Switch(ApiView):
    scopes = {"POST": (Scope.OPERATE, Scope.ADMIN)}

    @operation(
        "switch_version",
        "Let a version answer",
        tag="models",
        description="The version that answered until now is kept, and still written, to switch back to it. Every "
        "process follows within a second. A version in shadow must pass the gate, or the body overrides it.",
        parameters=_PATH,
        body=SWITCH,
        body_examples={**_REASON_EXAMPLE, "past the gate": {"reason": "meant to differ", "override": True}},
        answers=[
            Answer(
                _SWITCHED,
                "The version answers now.",
                {"switched": {"before": 1, "version": _in_status(ModelStatus.ACTIVE)}},
            )
        ],
        errors=[*_STEP, "invalid_text", "gate_closed"],
    )
    def post(self, request: Request, model_id: str, version: str) -> Response:
        why, override = switching(optional_object(request))
        found, caller = named_version(model_id, version), caller_of(request)
        before = switch(found, audit.caller_actor(caller.name), reason=why, override=override).before
        return Response({"before": before.version if before else None, "version": version_answer(found, caller)})


class Retire(ApiView):
    scopes = {"POST": (Scope.OPERATE, Scope.ADMIN)}

    @operation(
        "retire_version",
        "Retire a version",
        tag="models",
        description="It gets no more writes, and what it holds is freed in the background. This cannot be undone.",
        parameters=_PATH,
        body=REASON,
        body_examples=_REASON_EXAMPLE,
        answers=[Answer(VERSION, "The version.", {"retired": _in_status(ModelStatus.RETIRING)})],
        errors=[*_STEP, "invalid_text"],
    )
    def post(self, request: Request, model_id: str, version: str) -> Response:
        why = reason(optional_object(request))
        found, caller = named_version(model_id, version), caller_of(request)
        retire(found, audit.caller_actor(caller.name), why)
        return Response(version_answer(found, caller))
