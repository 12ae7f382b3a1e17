"""Pages of records that people take further step by step: which steps a page offers."""

from collections.abc import Collection
from typing import Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin

from embeddings_app.services.access.roles import OPERATE_VERSIONS


class OffersSteps(ModelAdmin):
    """Offers the steps that the user may take and that are possible in the state of the record."""

    def offered(self, record: Any) -> Collection[str]:
        """The paths of the steps that are possible now."""
        raise NotImplementedError

    def has_operate_permission(self, request: HttpRequest, _key: Any = None) -> bool:
        return request.user.has_perm(OPERATE_VERSIONS)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        record = self.get_object(request, str(object_id))
        possible = self.offered(record) if record else ()
        return [step for step in super().get_actions_detail(request, object_id) if step.path in possible]
