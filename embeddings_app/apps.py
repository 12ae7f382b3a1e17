"""Django application of the service."""

from django.apps import AppConfig


class EmbeddingsAppConfig(AppConfig):
    name = "embeddings_app"
    verbose_name = "Embeddings"
    default_auto_field = "django.db.models.BigAutoField"
