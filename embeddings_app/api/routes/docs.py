"""The OpenAPI document and the page that shows it; both work without any other host."""

from typing import Any

from django.http import HttpResponse
from django.template.loader import render_to_string
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request

from embeddings_app.api.rendering import MEDIA_TYPE, OrjsonRenderer
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema.generator import openapi_document

_OWN_FILES_ONLY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


class OpenApi(ApiView):
    @extend_schema(exclude=True)
    def get(self, _request: Request) -> HttpResponse:
        return HttpResponse(openapi_document(), content_type=MEDIA_TYPE)


class Docs(ApiView, SpectacularSwaggerSplitView):
    renderer_classes = [OrjsonRenderer]  # of errors
    parameters = {"GET": ("script",)}
    url_name = "openapi"
    url_self = "docs"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page, or its script; nothing may come from elsewhere, and no script stands in the page itself."""
        shown = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        # Without the request, so that no CSRF token of a session of the admin stands in it.
        body = render_to_string(shown.template_name, shown.data)
        headers = {"Content-Security-Policy": _OWN_FILES_ONLY}
        return HttpResponse(body, content_type=shown.content_type, headers=headers)
