"""What a team would write itself: one Django view over a table with pgvector, and a pool of connections.

Run by Granian as `benchmarks.peers.django_view:application`, with VECTOR_DATABASE_URL and VECTOR_EF_SEARCH.
"""

import json
import os
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path

_NEAREST = """
SELECT id, 1 - (vector <=> %(vector)s::vector) FROM peer_item ORDER BY vector <=> %(vector)s::vector LIMIT %(top_k)s
"""


def search(request: HttpRequest) -> JsonResponse:
    body = json.loads(request.body)
    with connection.cursor() as cursor:
        cursor.execute(_NEAREST, {"vector": json.dumps(body["vector"]), "top_k": body["top_k"]})
        hits = [{"id": key, "score": score} for key, score in cursor.fetchall()]
    return JsonResponse({"hits": hits})


def ready(_: HttpRequest) -> JsonResponse:
    return JsonResponse({"ready": True})


urlpatterns = [path("search", search), path("ready", ready)]


def _application() -> WSGIHandler:
    address = urlsplit(os.environ["VECTOR_DATABASE_URL"])
    options = {"options": f"-c hnsw.ef_search={os.environ['VECTOR_EF_SEARCH']}", "pool": True}
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="of a benchmark",
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": address.path.lstrip("/"),
                "USER": address.username,
                "PASSWORD": address.password,
                "HOST": address.hostname,
                "PORT": address.port,
                "OPTIONS": options,
            }
        },
    )
    django.setup()
    return get_wsgi_application()


if not settings.configured and "VECTOR_DATABASE_URL" in os.environ:
    application = _application()
