"""What embedding texts gives, and who does it: for modules that must not import torch, which takes seconds."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import Vector

GoOn = Callable[[], bool]
Embedded = Callable[[float], None]
"""Is told how many texts more are done."""


class EmbeddingStopped(Exception):
    """Nobody wants the vectors any more."""


class ModelUnusable(Exception):
    """The model cannot be loaded or used, which is no fault of any text; the message says why."""


@dataclass(frozen=True, slots=True)
class EmbeddedTexts:
    """One outcome for each text, in order."""

    vectors: Vector
    """Of unit length, shape (n, dimension); zeros where there is an error."""
    errors: Sequence[str]
    """Error codes of /v1/embed; empty for a text that was embedded."""


class EmbedsTexts(Protocol):
    def embed(self, texts: Sequence[str], go_on: GoOn = ..., *, embedded: Embedded = ...) -> EmbeddedTexts:
        """Raises EmbeddingStopped, ModelUnusable."""

    def rate(self, texts: Sequence[str]) -> float:
        """Texts a second of this process. Raises ModelUnusable."""


def own_embedder(spec: ModelSpec) -> EmbedsTexts:
    """The model version in this process, loaded once. Raises ModelUnusable."""
    return cast(EmbedsTexts, importlib.import_module("bulk_ingest.embedding").own_embedder(spec))
