"""The models and their versions: what they are, in which state, and which namespaces use them."""

from embeddings_app.console.page import Page
from embeddings_app.models import Scope

PAGE = Page(name="models", path="models/", title="Models", icon="models", group="Models", needs=Scope.SEARCH)
