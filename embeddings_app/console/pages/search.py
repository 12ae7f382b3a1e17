"""Search by meaning, by words or by both, with filters: the page that the console opens with."""

from embeddings_app.console.page import Page
from embeddings_app.models import Scope

PAGE = Page(name="search", path="", title="Search", icon="search", group="Search", needs=Scope.SEARCH)
