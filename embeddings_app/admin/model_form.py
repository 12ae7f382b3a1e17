"""The form of a model version: what is left blank is read from the files of the model, what is given wins."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget

from embedding_project.config import load_config
from embedding_project.model_sources.model_folder import ModelFilesError
from embeddings_app.models import ModelRegistry
from embeddings_app.services.model_versions.registering import FROM_FILES, Incomplete, completed

_PROMPTS = ("query_prompt", "document_prompt")
_AS_THE_FILES_SAY = ("", "as the files say")
HELP = {
    # Help is shown as HTML, which has no place for the angle brackets of the model's own.
    "artifact": "package:NAME with the name of a Python module, hub:ORGANISATION/NAME, or a folder below MODEL_ROOT",
    "endpoint": "Base address, such as https://api.example.org/v1. Its host must be one of ENDPOINT_HOSTS.",
    "max_tokens": "Longer texts are cut. An endpoint has its own limit.",
}


class ModelVersionForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    normalize = forms.TypedChoiceField(
        choices=(_AS_THE_FILES_SAY, ("True", "yes"), ("False", "no")),
        coerce=lambda value: value == "True",
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="/v1/embed returns unit vectors unless asked otherwise",
    )

    class Meta:
        model = ModelRegistry
        fields = "__all__"

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        if "type" not in self.fields:
            return  # a version that is only shown
        for name in FROM_FILES:
            self.fields[name].required = False
            if self.instance.pk is None:
                self.initial[name] = None
        pooling = self.fields["pooling"]
        assert isinstance(pooling, forms.ChoiceField)
        pooling.choices = [_AS_THE_FILES_SAY, *((name, name) for name in ("mean", "cls", "last"))]

    def clean(self) -> dict[str, Any]:
        fields = super().clean() or self.cleaned_data
        if "type" not in fields or any(name in self.errors for name in FROM_FILES):
            return fields
        # A draft that is changed has prompts already: blank means none.
        meant = () if self.instance.pk is None else _PROMPTS
        given = {name: None if value == "" and name not in meant else value for name, value in fields.items()}
        try:
            fields.update({name: value for name, value in completed(given, load_config()).items() if name in fields})
        except Incomplete as error:
            if error.unreadable:
                self.add_error("artifact", f"{error.reason[0].upper()}{error.reason[1:]}.")
            for name in error.missing:
                self.add_error(name, f"Please give it: {error.reason}.")
        except ModelFilesError as error:
            self.add_error("artifact", str(error))
        return fields
