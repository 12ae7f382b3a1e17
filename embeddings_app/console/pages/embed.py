"""How near texts are to each other, and what a model reads of them."""

from embeddings_app.console.page import Page
from embeddings_app.models import Scope

PAGE = Page(name="embed", path="embed/", title="Embed", icon="embed", group="Models", needs=Scope.EMBED)
