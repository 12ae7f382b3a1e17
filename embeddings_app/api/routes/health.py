"""Whether the process lives, whether it can serve, and what it counts."""

from dataclasses import asdict

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from embeddings_app.api.metrics import CONTENT_TYPE, exposition
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema.health import HEALTHZ, METRICS, READYZ
from embeddings_app.models import Scope
from embeddings_app.services.operating.readiness import readiness_checks


class Healthz(ApiView):
    @HEALTHZ
    def get(self, _request: Request) -> Response:
        """The process answers; nothing it depends on is asked."""
        return Response({"alive": True})


class Readyz(ApiView):
    @READYZ
    def get(self, _request: Request) -> Response:
        checks = readiness_checks()
        ready = all(check.ok for check in checks.values())
        body = {"ready": ready, "checks": {name: asdict(check) for name, check in checks.items()}}
        return Response(body, status=200 if ready else 503)


class Metrics(ApiView):
    scopes = {"GET": (Scope.ADMIN,)}

    @METRICS
    def get(self, _request: Request) -> HttpResponse:
        return HttpResponse(exposition(), content_type=CONTENT_TYPE)
