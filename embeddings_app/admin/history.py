"""Whether the page of a record offers its history: only where the admin wrote one."""

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest

_PAGE = "_change"


def has_history(request: HttpRequest) -> bool:
    """Most records come and change by the API, of which the admin knows nothing."""
    match = request.resolver_match
    if match is None or not match.url_name or not match.url_name.endswith(_PAGE) or "object_id" not in match.kwargs:
        return False
    app, _, model = match.url_name.removesuffix(_PAGE).rpartition("_")
    kind = ContentType.objects.filter(app_label=app, model=model).first()
    return kind is not None and LogEntry.objects.filter(content_type=kind, object_id=match.kwargs["object_id"]).exists()
