"""GET /healthz, /readyz and /metrics"""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from embeddings_app.api.schema import errors
from embeddings_app.api.schema.parts import BOOLEAN, NUMBER, STRING, described, record

_AGE = described(NUMBER, "How long ago this was found; after 5 seconds it counts as not ok.")
_READINESS = record(
    {
        "ready": described(BOOLEAN, "Every check is ok."),
        "checks": described(
            {"type": "object", "additionalProperties": record({"ok": BOOLEAN, "detail": STRING, "age_seconds": _AGE})},
            "What the service depends on, by name.",
        ),
    }
)

HEALTHZ = extend_schema(
    operation_id="healthz",
    summary="Whether the process is alive",
    description="Asks nothing the process depends on. Open.",
    tags=["health"],
    parameters=[errors.REQUEST_ID],
    responses={
        200: OpenApiResponse(
            record({"alive": BOOLEAN}), description="Alive.", examples=[OpenApiExample("alive", value={"alive": True})]
        ),
        **errors.error_answers(*errors.OPEN),
    },
)
READYZ = extend_schema(
    operation_id="readyz",
    summary="Whether the service can do all its work",
    description="Open.",
    tags=["health"],
    parameters=[errors.REQUEST_ID],
    responses={
        200: OpenApiResponse(
            _READINESS,
            description="Ready.",
            examples=[
                OpenApiExample(
                    "ready",
                    value={
                        "ready": True,
                        "checks": {"postgres": {"ok": True, "detail": "answers", "age_seconds": 0.4}},
                    },
                )
            ],
        ),
        503: OpenApiResponse(
            _READINESS,
            description="Not ready; the checks say why.",
            examples=[
                OpenApiExample(
                    "not ready",
                    value={
                        "ready": False,
                        "checks": {"broker": {"ok": False, "detail": "TimeoutError", "age_seconds": 0.1}},
                    },
                )
            ],
        ),
        **errors.error_answers(*errors.OPEN),
    },
)
METRICS = extend_schema(
    operation_id="metrics",
    summary="Figures for Prometheus",
    tags=["health"],
    parameters=[errors.REQUEST_ID],
    responses={
        (200, "text/plain"): OpenApiResponse(OpenApiTypes.STR, description="Text format of Prometheus."),
        **errors.error_answers(*errors.GUARDED),
    },
)
