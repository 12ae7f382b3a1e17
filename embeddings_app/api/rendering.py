"""JSON out, by orjson: numpy rows are written as they are, without a Python object per number."""

from collections.abc import Mapping
from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.renderers import BaseRenderer

MEDIA_TYPE = "application/json"


def to_json(data: object) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)


def json_response(data: object, *, status: int, headers: Mapping[str, str]) -> HttpResponse:
    """An answer from outside of the views, where no middleware adds its length any more."""
    body = to_json(data)
    length = {"Content-Length": str(len(body))}
    return HttpResponse(body, status=status, content_type=MEDIA_TYPE, headers={**headers, **length})


class OrjsonRenderer(BaseRenderer):
    media_type = MEDIA_TYPE
    format = "json"
    charset = None
    render_style = "binary"

    def render(self, data: Any, _media_type: str | None = None, _context: Mapping[str, Any] | None = None) -> bytes:
        return to_json(data)
