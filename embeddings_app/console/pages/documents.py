"""The documents of a namespace as a table."""

from embeddings_app.console.page import Page
from embeddings_app.models import Scope

PAGE = Page(name="documents", path="documents/", title="Documents", icon="documents", group="Data", needs=Scope.SEARCH)
