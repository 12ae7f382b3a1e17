"""Pages of the admin that belong to no model."""

from django.contrib import admin
from django.urls import path

from embeddings_app.admin.dashboard import numbers, operations

urlpatterns = [
    path("dashboard.json", numbers, name="admin_dashboard_numbers"),
    path("operations/", admin.site.admin_view(operations), name="admin_operations"),
]
