"""GET /healthz, /readyz and /metrics: whether the process lives, whether it can serve, and what it counts."""

from dataclasses import asdict

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from embeddings_app.api.metrics import CONTENT_TYPE, exposition
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import Scope
from embeddings_app.services.operating.readiness import readiness_checks

_AGE = parts.described(parts.NUMBER, "How long ago this was found; after 5 seconds it counts as not ok.")
_READINESS = parts.record(
    {
        "ready": parts.described(parts.BOOLEAN, "Every check is ok."),
        "checks": parts.described(
            {
                "type": "object",
                "additionalProperties": parts.record(
                    {"ok": parts.BOOLEAN, "detail": parts.STRING, "age_seconds": _AGE}
                ),
            },
            "What the service depends on, by name.",
        ),
    }
)
_READY = {"ready": True, "checks": {"postgres": {"ok": True, "detail": "answers", "age_seconds": 0.4}}}
_NOT_READY = {"ready": False, "checks": {"broker": {"ok": False, "detail": "TimeoutError", "age_seconds": 0.1}}}


class Healthz(ApiView):
    @operation(
        "healthz",
        "Whether the process is alive",
        tag="health",
        description="Asks nothing the process depends on. Open.",
        answers=[Answer(parts.record({"alive": parts.BOOLEAN}), "Alive.", {"alive": {"alive": True}})],
        errors=errors.OPEN,
    )
    def get(self, _request: Request) -> Response:
        """The process answers; nothing it depends on is asked."""
        return Response({"alive": True})


class Readyz(ApiView):
    @operation(
        "readyz",
        "Whether the service can do all its work",
        tag="health",
        description="Open.",
        answers=[
            Answer(_READINESS, "Ready.", {"ready": _READY}),
            Answer(_READINESS, "Not ready; the checks say why.", {"not ready": _NOT_READY}, status=503),
        ],
        errors=errors.OPEN,
    )
    def get(self, _request: Request) -> Response:
        checks = readiness_checks()
        ready = all(check.ok for check in checks.values())
        body = {"ready": ready, "checks": {name: asdict(check) for name, check in checks.items()}}
        return Response(body, status=200 if ready else 503)


class Metrics(ApiView):
    scopes = {"GET": (Scope.OPERATE, Scope.ADMIN)}

    @operation(
        "metrics",
        "Figures for Prometheus",
        tag="health",
        answers=[Answer(OpenApiTypes.STR, "Text format of Prometheus.", media_type="text/plain")],
        errors=errors.GUARDED,
    )
    def get(self, _request: Request) -> HttpResponse:
        return HttpResponse(exposition(), content_type=CONTENT_TYPE)
