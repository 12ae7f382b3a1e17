"""URL root."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", include("embeddings_app.admin.urls")),
    path("admin/", admin.site.urls),
    path("", include("embeddings_app.api.urls")),
]
handler404 = "embeddings_app.api.errors.not_found"
handler500 = "embeddings_app.api.errors.server_error"
