"""Aliases of models: other names that clients may send."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from embedding_project.contracts.errors import ServiceError
from embeddings_app.models import ModelAlias
from embeddings_app.services.audit import admin_actor
from embeddings_app.services.model_versions.aliases import check_alias, remove_alias, set_alias


class _AliasForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if {"name", "model_id"} <= cleaned.keys():
            try:
                check_alias(cleaned["name"], cleaned["model_id"])
            except ServiceError as error:
                self.add_error(error.field, error.message)
        return cleaned


@admin.register(ModelAlias)
class ModelAliasAdmin(ModelAdmin):
    form = _AliasForm
    fields = ("name", "model_id")
    list_display = ("name", "model_id", "created_at")
    search_fields = ("name", "model_id")
    actions = None

    def get_readonly_fields(self, _request: HttpRequest, obj: ModelAlias | None = None) -> tuple[str, ...]:
        return () if obj is None else ("name",)

    def save_model(self, request: HttpRequest, obj: ModelAlias, _form: forms.BaseForm, _change: bool) -> None:
        set_alias(obj.name, obj.model_id, admin_actor(request.user.get_username()))
        obj.pk = ModelAlias.objects.get(name=obj.name).pk

    def delete_model(self, request: HttpRequest, obj: ModelAlias) -> None:
        remove_alias(obj.name, admin_actor(request.user.get_username()))
