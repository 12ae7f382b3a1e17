"""Django models that are searched by meaning. See docs/how-to/use-from-django.md.

INSTALLED_APPS = [..., "embsearch.django"]; EMBSEARCH = {"URL": "http://127.0.0.1:8000"}
"""

from embsearch.django.index import SearchIndex, register
from embsearch.django.queryset import SemanticQuerySet
from embsearch.django.syncing import sync

__all__ = ["SearchIndex", "SemanticQuerySet", "register", "sync"]
