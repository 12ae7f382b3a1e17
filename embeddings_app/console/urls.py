"""Paths below /console/: one for each page, and one for all others."""

from django.urls import path, re_path

from embeddings_app.console.pages import PAGES
from embeddings_app.console.views import show_missing, show_page

urlpatterns = [
    *(path(page.path, show_page, {"page": page}, name=page.url_name) for page in PAGES),
    re_path("", show_missing),
]
