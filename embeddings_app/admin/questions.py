"""Pages that say what an action will do, with numbers, before somebody decides. Only the form of such a page acts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.db import OperationalError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from embedding_project.contracts.errors import ServiceError

_PAGE = "embeddings_app/question.html"
_REASON_CHARACTERS = 500


class NoFields(forms.Form):
    """Nothing to fill in: there is only the button."""


class ReasonForm(forms.Form):
    reason = forms.CharField(
        required=False,
        max_length=_REASON_CHARACTERS,
        widget=UnfoldAdminTextInputWidget,
        help_text="Kept in the audit log.",
    )


class OverrideForm(forms.Form):
    """For a step that something speaks against."""

    override = forms.BooleanField(label="Do it all the same", widget=UnfoldBooleanSwitchWidget)
    reason = forms.CharField(
        label="Why",
        max_length=_REASON_CHARACTERS,
        widget=UnfoldAdminTextInputWidget,
        help_text="Kept in the audit log, together with what speaks against it.",
    )


class RateForm(forms.Form):
    documents_per_second = forms.FloatField(
        required=False,
        min_value=0.01,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="The fastest it may be. Empty means no limit: searches go before it in any case.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    title: str
    sentences: Sequence[str] = ()
    """What will happen."""
    facts: Sequence[tuple[str, str]] = ()
    warnings: Sequence[str] = ()
    notes: Sequence[str] = ()
    """What to know of the facts."""
    refusal: str = ""
    """Why it cannot be done now, and what is possible instead; then there is no button."""
    button: str = ""
    ends_something: bool = False
    """Whether something is lost by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    text: str
    ok: bool = True
    url: str = ""
    """The page to go to; empty for the page of the subject."""


def decide(
    page: ModelAdmin,
    request: HttpRequest,
    subject: Model,
    question: Callable[[], Question],
    act: Callable[[Mapping[str, Any]], Answer],
    form_class: type[forms.Form] = NoFields,
) -> HttpResponse:
    """Show the question; when its form was sent, act, and say what came of it on the page of the subject."""
    form = form_class(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        context = {
            **page.admin_site.each_context(request),
            "opts": page.opts,
            "original": subject,
            "subject_url": _url(page, subject),
            "question": question(),
            "form": form,
        }
        return TemplateResponse(request, _PAGE, context | {"title": context["question"].title})
    try:
        answer = act(form.cleaned_data)
    except ServiceError as error:
        answer = Answer(text=error.message, ok=False)
    except OperationalError:
        answer = Answer(text="Postgres did not answer in time, and nothing was done: try again soon", ok=False)
    page.message_user(request, answer.text, messages.SUCCESS if answer.ok else messages.ERROR)
    if answer.ok:
        page.log_change(request, subject, answer.text)
    return HttpResponseRedirect(answer.url or _url(page, subject))


def _url(page: ModelAdmin, subject: Model) -> str:
    return reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_change", args=(subject.pk,))
