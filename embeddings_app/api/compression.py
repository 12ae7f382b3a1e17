"""Large answers compressed for clients that accept it, where the operator wants it.

Clients on the same machine accept it too, and would only wait for the processor. So nothing is compressed unless
`COMPRESS_FROM_BYTES` says from which size on. Only JSON is: vectors as plain bytes hardly become smaller. Django adds a
random part to each answer, which hides its exact size.
"""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

from embedding_project.config import load_config
from embeddings_app.api.pages import PAGE_PATHS

_REFUSED = re.compile(r"\bgzip\s*;\s*q\s*=\s*0(\.0*)?\s*(,|$)", re.IGNORECASE)


class CompressedAnswers(GZipMiddleware):
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase], from_bytes: int | None = None) -> None:
        super().__init__(get_response)
        self._from_bytes = load_config().compress_from_bytes if from_bytes is None else from_bytes

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        least = self._from_bytes
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        if not least or not is_json or not isinstance(response, HttpResponse) or len(response.content) < least:
            return response
        # Pages of people carry cookies, and are left as they are.
        if request.path_info.startswith(PAGE_PATHS):
            return response
        # Django takes any mention of gzip for consent.
        if _REFUSED.search(request.META.get("HTTP_ACCEPT_ENCODING", "")):
            patch_vary_headers(response, ("Accept-Encoding",))
            return response
        return super().process_response(request, response)
