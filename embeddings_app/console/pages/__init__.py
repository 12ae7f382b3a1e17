"""The pages of the console, in the order of the navigation."""

from embeddings_app.console.page import Page
from embeddings_app.console.pages import documents, embed, home, search

PAGES: tuple[Page, ...] = (search.PAGE, home.PAGE, documents.PAGE, embed.PAGE)
