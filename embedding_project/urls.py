"""URL root."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

# Only a process that serves pages loads the admin: the others start half a second earlier.
admin.autodiscover()

urlpatterns = [
    path("console", RedirectView.as_view(url="/console/")),
    path("console/", include("embeddings_app.console.urls")),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", include("embeddings_app.admin.urls")),
    path("admin/", admin.site.urls),
    path("", include("embeddings_app.api.urls")),
]
handler404 = "embeddings_app.api.errors.not_found"
handler500 = "embeddings_app.api.errors.server_error"
