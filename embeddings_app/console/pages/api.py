"""Every route of the API, to try out and to copy."""

from embeddings_app.console.page import Page
from embeddings_app.models import Scope

PAGE = Page(name="api", path="api/", title="API", icon="api", group="Service", needs=Scope.SEARCH)
