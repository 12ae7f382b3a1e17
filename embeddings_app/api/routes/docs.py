"""The OpenAPI document and the page that shows it; both work without any other host."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from embeddings_app.api.rendering import MEDIA_TYPE
from embeddings_app.api.routes.base import ApiView, FirstChoice
from embeddings_app.api.schema.generator import openapi_document

_OWN_FILES_ONLY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


class OpenApi(ApiView):
    @extend_schema(exclude=True)
    def get(self, _request: Request) -> HttpResponse:
        return HttpResponse(openapi_document(), content_type=MEDIA_TYPE)


class Docs(SpectacularSwaggerSplitView):
    content_negotiation_class = FirstChoice
    http_method_names = ("get", "head")
    url_name = "openapi"
    url_self = "docs"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The page, or its script; nothing may come from elsewhere, and no script stands in the page itself."""
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        response.headers["Content-Security-Policy"] = _OWN_FILES_ONLY
        return response
