"""WSGI entry point of the api role."""

import os
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from embedding_project.broker.clocks import watch_clock
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.serving.bodies import take_body
from embedding_project.serving.connections import watch_connections
from embedding_project.threads.collector import spare_startup_objects
from embedding_project.threads.turns import request_turns

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "embedding_project.settings")
_PROBES = frozenset({"/health", "/healthz", "/readyz"})
_django = get_wsgi_application()
# Else the first request would load the views.
get_resolver().url_patterns  # noqa: B018
spare_startup_objects()
watch_connections(load_config().port)
watch_clock(broker_client(load_config().redis_url))


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Django's application, told the path as it came: it mends one that is no UTF-8 and forgets that it did."""
    environ["embedding_project.raw_path"] = environ["PATH_INFO"]
    start_response = take_body(environ, start_response)
    if environ["PATH_INFO"] in _PROBES:
        return _django(environ, start_response)
    with request_turns.turn():
        return _django(environ, start_response)
