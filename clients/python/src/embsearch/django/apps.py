"""The app: it reads `search_indexes.py` of every installed app."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class EmbsearchConfig(AppConfig):
    name = "embsearch.django"
    label = "embsearch"
    verbose_name = "Semantic search"

    def ready(self) -> None:
        autodiscover_modules("search_indexes")
