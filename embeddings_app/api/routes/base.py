"""What all views of the API share."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from embeddings_app.api.admission import Slots
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.requests.names import check_parameters
from embeddings_app.models import Scope
from embeddings_app.services.access.rate_limits import limiter


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
    http_method_names = ("get", "head", "post", "put", "patch", "delete", "options")
    scopes: ClassVar[Mapping[str, tuple[Scope, ...]]] = {}
    """Method -> scopes of which the caller needs one. A method that is not named is open to every key."""
    parameters: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Method -> query parameters it takes."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse an unknown method, a caller without the scope and unknown parameters before the body is read."""
        super().initial(request, *args, **kwargs)
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(str(request.method))
        method = "GET" if request.method == "HEAD" else request.method
        needed = self.scopes.get(method)
        if needed:
            caller_of(request).require(*needed)
        check_parameters(request.query_params, *self.parameters.get(method, ()))

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:  # noqa: ARG002 as in APIView
        """The methods of this path, and nothing else."""
        return Response(status=204, headers={"Allow": ", ".join(self.allowed_methods)})

    @staticmethod
    @contextmanager
    def admitted(
        request: Request, *, inputs: int, places: Slots | None, namespace: str | None = None
    ) -> Iterator[None]:
        """Hold one of `places` for the work of the block.

        Raises ServiceError when the caller may not touch `namespace`, has used up its inputs, or no place is free.
        """
        caller = caller_of(request)
        if namespace is not None:
            caller.require_namespace(namespace)
        limiter().count_inputs(caller, inputs)
        with nullcontext() if places is None else places.one():
            yield

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer, rendered at once, after which view, request and response let go of each other.

        They hold each other by circles of DRF's making. Left to the collector, whatever a request touched would stay
        until that comes along, and then every request of the process would wait a tenth of a second for it.
        """
        response = super().dispatch(request, *args, **kwargs)
        if isinstance(response, Response):
            response.render()
            response.renderer_context = {}  # type: ignore[attr-defined]
        if isinstance(self.request, Request):
            self.request.parser_context = {}
        vars(self).clear()
        return response

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: `Allow` is added where it is the answer, and no answer varies with what the client accepts."""
        return {}
