"""How the admin looks and what its sidebar holds: settings of django-unfold.

Everything it loads lies in the packages themselves, so the admin works without the internet.
"""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy


def _page(title: str, icon: str, model: str, app: str = "embeddings_app") -> dict[str, Any]:
    """A list page in the sidebar, for those who may see it."""
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{model}_changelist"),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{model}"),
    }


_NAVIGATION = [
    {
        "title": "",
        "items": [{"title": "Dashboard", "icon": "monitoring", "link": reverse_lazy("admin:index")}],
    },
    {
        "title": "Search",
        "items": [
            _page("Namespaces", "folder", "namespace"),
            _page("Documents", "description", "document"),
            _page("Embedding records", "data_array", "embeddingrecord"),
            _page("Bulk jobs", "upload_file", "bulkjob"),
        ],
    },
    {
        "title": "Models",
        "items": [
            _page("Model versions", "model_training", "modelregistry"),
            _page("Model aliases", "label", "modelalias"),
            _page("Re-embedding runs", "sync", "reembedrun"),
        ],
    },
    {
        "title": "Operations",
        "items": [
            {"title": "Operations", "icon": "speed", "link": reverse_lazy("admin_operations")},
            _page("Layouts", "grid_view", "layout"),
            _page("Shards", "dns", "shardcounter"),
            _page("Replicas", "storage", "shardreplica"),
            _page("Periodic tasks", "schedule", "periodictask", app="django_celery_beat"),
            _page("Job runs", "manage_history", "jobrun"),
        ],
    },
    {
        "title": "Access",
        "items": [
            _page("API keys", "key", "apikey"),
            _page("Audit log", "history", "auditevent"),
            _page("Users", "person", "user", app="auth"),
            _page("Groups", "group", "group", app="auth"),
        ],
    },
]

_BLUE = {
    "50": "#eff6ff",
    "100": "#dbeafe",
    "200": "#bfdbfe",
    "300": "#93c5fd",
    "400": "#60a5fa",
    "500": "#3b82f6",
    "600": "#2563eb",
    "700": "#1d4ed8",
    "800": "#1e40af",
    "900": "#1e3a8a",
    "950": "#172554",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Embedding and semantic search",
    "SITE_HEADER": "Semantic search",
    "SITE_SYMBOL": "travel_explore",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("embeddings_app/icon.svg")}
    ],
    "SITE_URL": "/console/",
    "SHOW_HISTORY": "embeddings_app.admin.history.has_history",
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "embeddings_app.admin.dashboard.fill_index",
    "STYLES": [lambda _request: static("embeddings_app/admin.css")],
    "COLORS": {"primary": _BLUE},
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": _NAVIGATION},
}
