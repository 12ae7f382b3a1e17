"""WSGI entry point of the api role."""

import os
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "embedding_project.settings")
_django = get_wsgi_application()


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Django's application, told the path as it came: it mends one that is no UTF-8 and forgets that it did."""
    environ["embedding_project.raw_path"] = environ["PATH_INFO"]
    response: Iterable[bytes] = _django(environ, start_response)
    return response
