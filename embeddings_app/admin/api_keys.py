"""Keys of the API: made here, shown once, revoked; never deleted or changed otherwise."""

import re
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from embeddings_app.admin.dialogs import dialog, go_to
from embeddings_app.models import ApiKey, Namespace, Scope
from embeddings_app.services.access.api_keys import (
    FIRST_KEY,
    KeyGrant,
    create_key,
    ends_keyless_use,
    key_state,
    revoke_key,
)
from embeddings_app.services.audit import admin_actor

_SHOWN_PAGE = "embeddings_app/key_made.html"
_SCOPES = (
    (Scope.EMBED, "embed: texts to vectors"),
    (Scope.SEARCH, "search: search, read documents and namespaces"),
    (Scope.WRITE, "write: upsert and delete documents"),
    (Scope.OPERATE, "operate: read the metrics, steer model versions, runs and imports"),
    (Scope.ADMIN, "admin: also register model versions and start imports"),
)

_check_namespace = Namespace.name.field.run_validators


def _rate_field(help_text: str) -> forms.FloatField:
    widget = UnfoldAdminDecimalFieldWidget
    return forms.FloatField(required=False, min_value=0.001, max_value=1e6, widget=widget, help_text=help_text)


class KeyForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """What a new key is to be allowed."""

    name = forms.CharField(
        max_length=128,
        widget=UnfoldAdminTextInputWidget,
        help_text="Who uses it, and for what: shop backend, nightly load",
    )
    scopes = forms.MultipleChoiceField(
        choices=_SCOPES, widget=UnfoldAdminCheckboxSelectMultipleWidget, label="May", initial=[Scope.SEARCH]
    )
    namespaces = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="One a line, or with spaces or commas between. Empty means all. They need not exist yet.",
    )
    expires_at = forms.SplitDateTimeField(
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        label="Expires (UTC)",
        help_text="Empty means never.",
    )
    requests_per_second = _rate_field("Empty means no limit.")
    inputs_per_second = _rate_field("Texts, documents and queries. Empty means no limit.")

    ends_keyless_use = forms.BooleanField(widget=UnfoldBooleanSwitchWidget, label=FIRST_KEY)

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "namespaces", "expires_at", "requests_per_second", "inputs_per_second")

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        if ends_keyless_use():
            # The one key there is should do what was done without one.
            self.fields["scopes"].initial = list(Scope)
        else:
            del self.fields["ends_keyless_use"]

    def clean_namespaces(self) -> list[str]:
        names = list(dict.fromkeys(re.split(r"[\s,]+", self.cleaned_data["namespaces"].strip())))
        names = [name for name in names if name]
        for name in names:
            _check_namespace(name)
        return names

    def clean_expires_at(self) -> Any:
        moment = self.cleaned_data["expires_at"]
        if moment is not None and moment <= timezone.now():
            raise forms.ValidationError("This time has passed.")
        return moment


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    form = KeyForm
    list_display = ("name", "prefix", "state", "may", "where", "limits", "expires_at", "last_used_at", "created_by")
    search_fields = ("name", "prefix")
    search_help_text = "Part of the name or of the prefix"
    ordering = ("-id",)
    sortable_by = ()
    list_fullwidth = True
    actions = ("revoke_selected",)
    actions_detail = ("revoke",)
    add_fieldsets = (
        (None, {"fields": ("name", "scopes", "namespaces", "expires_at")}),
        ("Limits", {"fields": (("requests_per_second", "inputs_per_second"),)}),
    )
    shown_fields = (*list_display, "revoked_at", "created_at")

    def get_fieldsets(self, _request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is not None:
            return ((None, {"fields": self.shown_fields}),)
        first = (("Keyless use ends", {"fields": ("ends_keyless_use",)}),) if ends_keyless_use() else ()
        return (*first, *self.add_fieldsets)

    def get_readonly_fields(self, _request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return () if obj is None else self.shown_fields

    def has_change_permission(self, _request: HttpRequest, _obj: ApiKey | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: ApiKey | None = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest, _key: Any = None) -> bool:
        return request.user.has_perm("embeddings_app.change_apikey")

    @display(description="state", label={"active": "success", "expired": "warning", "revoked": "danger"})
    def state(self, key: ApiKey) -> str:
        return key_state(key)

    @display(description="may")
    def may(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description="namespaces")
    def where(self, key: ApiKey) -> str:
        return ", ".join(key.namespaces) or "all"

    @display(description="limits per second")
    def limits(self, key: ApiKey) -> str:
        limits = ((key.requests_per_second, "requests"), (key.inputs_per_second, "inputs"))
        return ", ".join(f"{rate:g} {what}" for rate, what in limits if rate is not None) or "none"

    def save_model(self, request: HttpRequest, obj: ApiKey, form: KeyForm, _change: bool) -> None:
        """Let the service make the key; its text waits in the request for the page that shows it."""
        grant = dict(form.cleaned_data)
        first = grant.pop("ends_keyless_use", False)
        made, text = create_key(KeyGrant(**grant), admin_actor(request.user.get_username()))
        for name, value in model_to_dict(made).items():
            setattr(obj, name, value)
        obj.pk = made.pk
        request.made_key_text = text  # type: ignore[attr-defined]
        request.first_key = FIRST_KEY if first else ""  # type: ignore[attr-defined]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *rest: Any, **more: Any
    ) -> HttpResponse:
        # Every way to save leads to the page that shows the key.
        buttons = {"show_save_and_add_another": False, "show_save_and_continue": False}
        response: HttpResponse = super().render_change_form(request, context | buttons, *rest, **more)
        return response

    def response_add(self, request: HttpRequest, obj: ApiKey, _post_url_continue: Any = None) -> HttpResponse:
        """The one page that shows the text. It is the answer to the form itself, so nobody has to keep it meanwhile."""
        context = {
            **self.admin_site.each_context(request),
            "title": f"Key {obj.name!r}",
            "key": obj,
            "text": request.made_key_text,  # type: ignore[attr-defined]
            "first_key": request.first_key,  # type: ignore[attr-defined]
            "opts": self.opts,
        }
        return TemplateResponse(request, _SHOWN_PAGE, context, headers={"Cache-Control": "no-store"})

    @admin.action(description="Revoke: they stop working for good", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        for prefix in keys.values_list("prefix", flat=True):
            self._revoke(request, prefix)

    @action(
        description="Revoke",
        permissions=["revoke"],
        icon="block",
        variant=ActionVariant.DANGER,
        url_path="revoke",
        dialog=dialog("Revoke this key", "It stops working for good and cannot be brought back.", "Revoke"),
    )
    def revoke(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        key = get_object_or_404(ApiKey, pk=object_id)
        self._revoke(request, key.prefix)
        return go_to(request, reverse("admin:embeddings_app_apikey_changelist"))

    def _revoke(self, request: HttpRequest, prefix: str) -> None:
        if revoke_key(prefix, admin_actor(request.user.get_username())):
            self.message_user(request, f"Key {prefix} is revoked", messages.SUCCESS)
        else:
            self.message_user(request, f"Key {prefix} was revoked before", messages.WARNING)
