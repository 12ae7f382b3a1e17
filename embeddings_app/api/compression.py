"""Large answers compressed for clients that accept it, where the operator wants it: by zstd, else by gzip.

Clients on the same machine accept it too, and would only wait for the processor. So nothing is compressed unless
`COMPRESS_FROM_BYTES` says from which size on. Only JSON is: vectors as plain bytes hardly become smaller. A random part
of each answer hides its exact size; for gzip it comes from Django.
"""

import re
import secrets
import struct
from collections.abc import Callable, Mapping

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers
from zstandard import ZstdCompressor

from embedding_project.config import load_config
from embeddings_app.api.pages import PAGE_PATHS

_CODINGS = ("zstd", "gzip")
"""Those there are, the better one first."""
_WEIGHT = r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?"
_ACCEPTED = re.compile(rf"\s*([a-z0-9*_-]+)\s*(?:;\s*q\s*=\s*({_WEIGHT})\s*)?", re.IGNORECASE)
_LEVEL = 1
"""The fastest: on the digits of vectors, higher levels take twice the time and more, and save nothing."""
_SKIPPABLE_FRAME = 0x184D2A50
_MOST_PADDING = 100


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
        if request.path_info.startswith(PAGE_PATHS) or response.has_header("Content-Encoding"):
            return response
        coding = _chosen(weights(request.META.get("HTTP_ACCEPT_ENCODING", "")))
        if coding == "gzip":
            return super().process_response(request, response)
        patch_vary_headers(response, ("Accept-Encoding",))
        if coding == "zstd":
            response.content = _padded(ZstdCompressor(level=_LEVEL).compress(response.content))
            response.headers["Content-Length"] = str(len(response.content))
            response.headers["Content-Encoding"] = "zstd"
        return response


def weights(accepted: str) -> Mapping[str, float]:
    """Coding -> its weight in an Accept-Encoding header. What is no coding with a weight counts for nothing."""
    found = (_ACCEPTED.fullmatch(part) for part in accepted.split(","))
    return {match[1].lower(): float(match[2] or 1) for match in found if match}


def _chosen(accepted: Mapping[str, float]) -> str:
    """The coding that the client likes best, of equals the better one; empty for none. `*` is no consent: who sends it
    need not know every coding, and may have any answer as it is."""
    best = max(_CODINGS, key=lambda coding: accepted.get(coding, 0.0))
    weight = accepted.get(best, 0.0)
    return best if weight > 0 and weight >= accepted.get("identity", 0.0) else ""


def _padded(compressed: bytes) -> bytes:
    """With a frame of random length, which every decoder skips."""
    padding = secrets.token_bytes(1 + secrets.randbelow(_MOST_PADDING))
    return compressed + struct.pack("<II", _SKIPPABLE_FRAME, len(padding)) + padding
