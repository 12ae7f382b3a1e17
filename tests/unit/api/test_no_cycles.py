"""What a request touched is gone when it was answered, and does not wait for the garbage collector."""

import gc
import json
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import RequestFactory
from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.errors import InvalidRequest
from embeddings_app.api.parsing import json_object
from embeddings_app.api.routes.base import ApiView


class Echo(ApiView):
    touched: list[weakref.ref[Any]] = []

    def post(self, request: Request) -> Response:
        body = json_object(request)
        self.touched += [weakref.ref(self), weakref.ref(request), weakref.ref(request._request)]
        if "refuse" in body:
            raise InvalidRequest("invalid_value", "as asked", field="refuse")
        return Response(body)


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(("body", "status"), [({"a": 1}, 200), ({"refuse": 1}, 400)])
def test_view_request_and_body_are_let_go(body: dict[str, int], status: int) -> None:
    touched: list[weakref.ref[Any]] = []
    view = Echo.as_view(touched=touched)
    response = view(RequestFactory().post("/v1/echo", json.dumps(body), content_type="application/json"))
    assert response.status_code == status
    assert json.loads(response.content)
    assert len(touched) == 3
    assert [reference for reference in touched if reference() is not None] == []
    answered = weakref.ref(response)
    del response
    assert answered() is None
