"""Models behind OpenAI-compatible endpoints: retries within a bound, a rate shared by all embedders, honest blame.

A fault of the endpoint is `ModelAway`: texts are tried again later, and the fault counts against none. A text is
to blame only if the endpoint takes a plain word: then the batch is halved until the text is alone.
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from embedding_project.broker.redis_clients import cache_client
from embedding_project.buckets import Buckets, Rate
from embedding_project.config import Config
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import Vector
from embedding_project.model_sources.endpoints import endpoint_problem
from workers.encoders.base import PLAIN_WORD, ModelAway, ModelError, Tokens
from workers.encoders.endpoint_client import EndpointClient, Failed, Refused
from workers.encoders.secrets import read_secret
from workers.metrics import ENDPOINT_REQUESTS

STEP_SECONDS = 4.0
"""The most for one `encode`, with retries and waits for the rate: a search waits for 2 s, and a bulk text for 15."""
_LAST_READ_SECONDS = 0.5
"""For what comes when the time is over, before the call counts as one that never ends."""
_TRIES = 4
_FIRST_PAUSE_SECONDS = 0.25
_AWAY_SECONDS = 2.0
_MAX_AWAY_SECONDS = 60.0
"""How long a failed endpoint is not called, at least and at most: other models would wait for it."""
_VOUCHED_SECONDS = 30.0
_BYTES_PER_TOKEN = 4
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class UntokenizedText(Tokens):
    """A text for a model whose vocabulary this process does not know."""

    text: str

    def __len__(self) -> int:
        """An estimate from its bytes."""
        return -(-len(self.text.encode()) // _BYTES_PER_TOKEN) or 1


class EndpointEncoder:
    """Several threads may use it."""

    def __init__(
        self, spec: ModelSpec, client: EndpointClient, key: Callable[[], str], buckets: Buckets, seconds: float
    ) -> None:
        self._spec = spec
        self._client = client
        self._key = key
        self._buckets = buckets
        self._seconds = seconds
        self._format = "base64"
        self._vouched_until = 0.0
        self._away_until = 0.0
        self._reason = ""

    @property
    def dimension(self) -> int:
        return self._spec.dimension

    @property
    def memory_bytes(self) -> int:
        return 0

    @property
    def padded(self) -> bool:
        return False

    @property
    def first_speed(self) -> float:
        return 0.0

    @property
    def longest_step_seconds(self) -> float:
        return self._seconds + _LAST_READ_SECONDS

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        return [UntokenizedText(ids=(), truncated=False, text=text) for text in texts]

    def encode(self, batch: Sequence[Tokens]) -> Vector:
        """Raises ModelAway when the endpoint is to blame, ModelError when a text is."""
        if time.monotonic() < self._away_until:
            raise ModelAway(self._reason)
        texts = [tokens.text for tokens in batch if isinstance(tokens, UntokenizedText)]
        until = time.monotonic() + self._seconds
        try:
            vectors = self._embed_or_find_format(texts, until)
        except Failed as failure:
            raise self._gone(str(failure), failure.retry_after) from failure
        if self._reason:
            logger.warning("the endpoint of model %s serves again", self._spec.model_id)
            self._reason = ""
        return vectors

    def _embed_or_find_format(self, texts: Sequence[str], until: float) -> Vector:
        before = self._format
        try:
            return self._tried(texts, until)
        except Refused as refusal:
            self._vouch(refusal, until)
            if self._format == before:
                raise
            return self._tried(texts, until)

    def _vouch(self, refusal: Refused, until: float) -> None:
        """Make sure that the endpoint embeds a plain word, in this format or in the other. Raises Failed if not."""
        if time.monotonic() < self._vouched_until:
            return
        for encoding_format in (self._format, "float"):
            try:
                self._tried([PLAIN_WORD], until, encoding_format)
            except Refused:
                continue
            self._format = encoding_format
            self._vouched_until = time.monotonic() + _VOUCHED_SECONDS
            return
        raise Failed(f"it refuses a plain word too: {refusal}", passes=False)

    def _tried(self, texts: Sequence[str], until: float, encoding_format: str = "") -> Vector:
        """Try until a try succeeds or a further one is of no use. Raises Refused or Failed."""
        for number in range(_TRIES):
            self._await_rate(until)
            try:
                vectors = self._client.embed(texts, self._secret(), encoding_format or self._format, until)
            except Refused:
                ENDPOINT_REQUESTS.labels("refused").inc()
                raise
            except Failed as failure:
                ENDPOINT_REQUESTS.labels("failed").inc()
                _pause_or_give_up(failure, number, until)
            else:
                ENDPOINT_REQUESTS.labels("answered").inc()
                return vectors
        raise Failed("every try failed", passes=True)

    def _secret(self) -> str:
        try:
            return self._key()
        except ModelError as error:
            raise Failed(str(error), passes=False) from None

    def _await_rate(self, until: float) -> None:
        spec = self._spec
        if not spec.requests_per_minute:
            return
        rate = _rate(spec.requests_per_minute)
        name = f"endpoint:{spec.endpoint}:{spec.secret_name}:{spec.endpoint_model or spec.model_id}"
        while True:
            grant = self._buckets.take(name, rate, 1, 1)
            if grant.tokens:
                return
            wait = (1 - grant.left) / rate.per_second
            if time.monotonic() + wait >= until:
                raise Failed("its requests per minute are used up", passes=False, retry_after=wait)
            time.sleep(wait)

    def _gone(self, reason: str, retry_after: float | None) -> ModelAway:
        if reason != self._reason:
            logger.warning("the endpoint of model %s is of no use now: %s", self._spec.model_id, reason)
        self._reason = reason
        pause = _AWAY_SECONDS if retry_after is None else min(retry_after, _MAX_AWAY_SECONDS)
        self._away_until = time.monotonic() + pause
        return ModelAway(reason)


def _pause_or_give_up(failure: Failed, number: int, until: float) -> None:
    """Wait before try `number` + 1. Raises `failure` when a further try is of no use."""
    pause = _FIRST_PAUSE_SECONDS * 2**number
    if failure.retry_after is not None:
        pause = max(pause, failure.retry_after)
    pause *= random.uniform(1.0, 1.5)
    if not failure.passes or number + 1 == _TRIES or time.monotonic() + pause >= until:
        raise failure
    time.sleep(pause)


def _rate(requests_per_minute: int) -> Rate:
    """A bucket that allows at most so many requests in any minute, a tenth of them at once."""
    burst = max(requests_per_minute // 10, 1)
    return Rate(per_second=max(requests_per_minute - burst, 0.5) / 60, burst=burst)


def load_endpoint(spec: ModelSpec, config: Config, seconds: float = STEP_SECONDS) -> EndpointEncoder:
    """An encoder for the endpoint of `spec`; it does not call the endpoint yet. Raises ModelError."""
    problem = endpoint_problem(spec.endpoint, config.endpoint_hosts)
    if problem:
        raise ModelError(problem)

    def key() -> str:
        return read_secret(config.embed_secrets_dir, spec.secret_name) if spec.secret_name else ""

    key()
    client = EndpointClient(spec.endpoint, spec.endpoint_model or spec.model_id, spec.dimension)
    return EndpointEncoder(spec, client, key, Buckets(cache_client(config.cache_url)), seconds)
