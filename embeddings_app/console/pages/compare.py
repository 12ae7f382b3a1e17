"""One query, two or three indexes side by side: versions of a model, or namespaces of different models."""

from embeddings_app.console.page import Page
from embeddings_app.models import Scope

PAGE = Page(name="compare", path="compare/", title="Compare", icon="compare", group="Search", needs=Scope.SEARCH)
