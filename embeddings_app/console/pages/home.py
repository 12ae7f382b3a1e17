"""What there is, what is wrong with it now, and what to do first."""

from embeddings_app.console.page import Page
from embeddings_app.models import Scope

PAGE = Page(name="home", path="home/", title="Home", icon="home", group="Data", needs=Scope.SEARCH)
