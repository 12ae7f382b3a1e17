"""The documents of a namespace in a plane, for eyes that do not know yet what to ask."""

from embeddings_app.console.page import Page
from embeddings_app.models import Scope

PAGE = Page(name="map", path="map/", title="Map", icon="map", group="Search", needs=Scope.SEARCH)
