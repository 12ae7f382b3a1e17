"""Texts to vectors in one process, as the embedders of the service compute them: for buckets of jobs, and for anybody
who has a model version and texts. It knows no database and no settings of Django.

Importing it imports torch.
"""

import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TypeVar

import numpy as np
import torch

from bulk_ingest.embedded_texts import Embedded, EmbeddedTexts, EmbeddingStopped, GoOn, ModelUnusable
from embedding_project.config import Config, load_config
from embedding_project.contracts.keys import InputType
from embedding_project.contracts.messages import EmbedItem
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import Vector, unit_length
from workers.batching import next_step
from workers.compute import encode_each
from workers.encoders.base import DeviceLost, Encoder, ModelAway, Tokens
from workers.encoders.loading import chosen_device, encoder_loader
from workers.pace import Limits, Pace
from workers.requests import tokens_of
from workers.tickets import MODEL_ERROR

Result = TypeVar("Result")

AWAY_SECONDS = 60.0
"""So long a model that cannot be used now, such as an endpoint, is asked again."""
_ASK_AGAIN_SECONDS = 1.0
# A step as long as that computes as fast as a longer one, and a pause waits for no more.
CPU_STEPS = Limits(
    step_seconds=0.25,
    first_tokens=512,
    least_tokens=128,
    most_tokens=4_096,
    items=256,
    step_cost_tokens=40,
    window=256,
)
CUDA_STEPS = Limits(
    step_seconds=0.25,
    first_tokens=16_384,
    least_tokens=2_048,
    most_tokens=65_536,
    items=1_024,
    step_cost_tokens=2_048,
    window=1_024,
)


def _always() -> bool:
    return True


def _ignore(_: float) -> None:
    pass


class TextEmbedder:
    """A loaded model version. One thread uses it."""

    def __init__(self, spec: ModelSpec, encoder: Encoder, steps: Limits = CPU_STEPS) -> None:
        self.spec = spec
        self._encoder = encoder
        self._pace = Pace(steps)
        self._pace.suppose(spec, encoder.first_speed)

    def embed(
        self,
        texts: Sequence[str],
        go_on: GoOn = _always,
        away_seconds: float = AWAY_SECONDS,
        embedded: Embedded = _ignore,
    ) -> EmbeddedTexts:
        """The vectors of document texts in normal form, equal ones computed once; `go_on` is asked between steps.

        Raises EmbeddingStopped, ModelUnusable.
        """
        places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        vectors = np.zeros((len(places), self._encoder.dimension), np.float32)
        errors = [""] * len(places)
        waiting: list[tuple[int, Tokens]] = []
        for place, tokens in enumerate(self._while_away(partial(self._tokens, list(places)), go_on, away_seconds)):
            if isinstance(tokens, str):
                errors[place] = tokens
            else:
                waiting.append((place, tokens))
        # The longest first: what does not fit into the memory is found out at once.
        waiting.sort(key=lambda item: -len(item[1]))
        while waiting:
            step = self._next_step(waiting)
            batch = [tokens for _, tokens in step]
            found = self._while_away(partial(self._encoded, batch), go_on, away_seconds)
            for (place, _), vector in zip(step, found, strict=True):
                if vector is None:
                    errors[place] = MODEL_ERROR
                else:
                    vectors[place] = vector
            del waiting[: len(step)]
            # Of equal texts one is computed.
            embedded(len(step) * len(texts) / len(places))
        order = [places[text] for text in texts]
        return EmbeddedTexts(unit_length(vectors)[order], [errors[place] for place in order])

    def rate(self, texts: Sequence[str]) -> float:
        """Texts a second of this process, measured with these. Raises ModelUnusable."""
        began = time.perf_counter()
        self.embed(texts)
        return len(texts) / (time.perf_counter() - began)

    def _tokens(self, texts: Sequence[str]) -> Sequence[Tokens | str]:
        prompt = self.spec.prompt(InputType.DOCUMENT)
        items = [EmbedItem(cache_key=b"", text=prompt + text, prompt_length=len(prompt)) for text in texts]
        return tokens_of(self._encoder, items)

    def _next_step(self, waiting: Sequence[tuple[int, Tokens]]) -> Sequence[tuple[int, Tokens]]:
        budget = self._pace.budget(self.spec)
        lengths = [len(tokens) for _, tokens in waiting[: budget.window]]
        # They are sorted by their length, so a step is the first of them.
        return waiting[: len(next_step(lengths, budget, padded=self._encoder.padded))]

    def _encoded(self, batch: Sequence[Tokens]) -> Sequence[Vector | None]:
        with self._pace.step(self.spec, sum(map(len, batch))):
            return encode_each(self._encoder, batch)

    def _while_away(self, work: Callable[[], Sequence[Result]], go_on: GoOn, away_seconds: float) -> Sequence[Result]:
        until = time.monotonic() + away_seconds
        while True:
            if not go_on():
                raise EmbeddingStopped
            try:
                return work()
            except ModelAway as error:
                if time.monotonic() > until:
                    raise ModelUnusable(f"model {self.spec.model_id!r} cannot be used now: {error}") from None
                time.sleep(_ASK_AGAIN_SECONDS)
            except DeviceLost as error:
                raise ModelUnusable(f"the device of model {self.spec.model_id!r} failed: {error}") from None


def load_embedder(spec: ModelSpec, config: Config) -> TextEmbedder:
    """The model version in this process, which computes in one thread: there are as many processes as cores. Raises
    ModelUnusable."""
    torch.set_num_threads(1)
    device = chosen_device(config)
    try:
        encoder = encoder_loader(config, device)(spec)
    except Exception as error:  # noqa: BLE001
        # For a damaged folder, the libraries raise any class.
        raise ModelUnusable(f"model {spec.model_id!r} cannot be loaded: {str(error) or type(error).__name__}") from None
    return TextEmbedder(spec, encoder, CUDA_STEPS if device.type == "cuda" else CPU_STEPS)


@cache
def own_embedder(spec: ModelSpec) -> TextEmbedder:
    """The same by the configuration of this process, loaded once. Raises ModelUnusable."""
    return load_embedder(spec, load_config())
