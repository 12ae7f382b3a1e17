"""The pages of the console, in the order of the navigation."""

from embeddings_app.console.page import Page
from embeddings_app.console.pages import activity, api, cluster, compare, documents, embed, home, keys, models, search
from embeddings_app.console.pages import map as map_page

PAGES: tuple[Page, ...] = (
    search.PAGE,
    map_page.PAGE,
    compare.PAGE,
    home.PAGE,
    documents.PAGE,
    embed.PAGE,
    models.PAGE,
    activity.PAGE,
    cluster.PAGE,
    keys.PAGE,
    api.PAGE,
)
