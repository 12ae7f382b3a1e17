"""The keys of the API: made, shown once, revoked."""

from embeddings_app.console.page import Page
from embeddings_app.models import Scope

PAGE = Page(name="keys", path="keys/", title="Keys", icon="key", group="Service", needs=Scope.ADMIN)
