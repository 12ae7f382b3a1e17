"""The OpenAPI document and the page that shows it; both work without any other host."""

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerView
from rest_framework.request import Request

from embeddings_app.api.rendering import MEDIA_TYPE
from embeddings_app.api.schema.generator import openapi_document
from embeddings_app.api.views.base import ApiView, FirstChoice


class OpenApi(ApiView):
    @extend_schema(exclude=True)
    def get(self, _request: Request) -> HttpResponse:
        return HttpResponse(openapi_document(), content_type=MEDIA_TYPE)


class Docs(SpectacularSwaggerView):
    content_negotiation_class = FirstChoice
    http_method_names = ("get", "head")
    url_name = "openapi"
