"""What all views of the API share."""

from collections.abc import Iterable

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView


class FirstChoice(BaseContentNegotiation):
    """Answers in the view's one format whatever the client accepts: no browsable API, no 406."""

    def select_parser(self, _request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self, _request: Request, renderers: Iterable[BaseRenderer], _suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class ApiView(APIView):
    content_negotiation_class = FirstChoice
    # OPTIONS is left out: DRF would answer it with a description of its own.
    http_method_names = ("get", "post", "delete", "head")

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: `Allow` is added where it is the answer, and no answer varies with what the client accepts."""
        return {}
