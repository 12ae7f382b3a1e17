"""The parts of an embedder, made from the configuration of this process."""

import importlib.util
import logging
import time
from functools import cache

import torch
from redis import Redis

from embedding_project.broker.model_problems import report_problem
from embedding_project.broker.redis_clients import broker_client, cache_client
from embedding_project.config import load_config
from embedding_project.contracts.messages import EmbedBatch
from embedding_project.contracts.model_spec import PACKAGED_MODEL, ModelSpec
from embedding_project.model_sources.model_folder import PACKAGE
from embedding_project.threads.usable_cores import usable_cores
from embedding_project.vector_cache import VectorCache
from workers.drainer import Drainer
from workers.embedder import Embedder
from workers.encoders.base import Encoder, ModelError
from workers.encoders.loading import Load, chosen_device, encoder_loader
from workers.model_pool import ModelPool
from workers.outbox import Outbox
from workers.pace import CPU_LIMITS, CUDA_LIMITS, Pace

_LOOK_SECONDS = 0.005
logger = logging.getLogger(__name__)


@cache
def compute_threads() -> int:
    """How many steps this process computes at a time. The first call sets how many cores each of them has."""
    config = load_config()
    if chosen_device(config).type == "cuda":
        if config.embed_threads:
            torch.set_num_threads(config.embed_threads)
        return 1
    # Torch counts the cores of the machine, also in a container that has the time of two.
    threads = config.embed_threads or min(torch.get_num_threads(), usable_cores())
    torch.set_num_threads(1)
    return threads


@cache
def models() -> ModelPool:
    """The models of this process."""
    config = load_config()
    load = encoder_loader(config, chosen_device(config))
    if compute_threads() > 1:
        load = with_one_core(load)
    budget = config.embed_memory_mb * 1024 * 1024
    return ModelPool(load, budget_bytes=budget, report=_report_problem)


def with_one_core(load: Load) -> Load:
    """A load measures the speed of a computing thread, but its own thread begins with the cores of the last step."""

    def loaded(spec: ModelSpec) -> Encoder:
        torch.set_num_threads(1)
        return load(spec)

    return loaded


def _report_problem(spec: ModelSpec, reason: str) -> None:
    report_problem(broker(), spec.version_key, reason)


@cache
def vector_cache() -> VectorCache:
    config = load_config()
    return VectorCache(cache_client(config.cache_url), config.cache_ttl_seconds)


@cache
def pace() -> Pace:
    """The speeds that this process has measured."""
    limits = CUDA_LIMITS if chosen_device(load_config()).type == "cuda" else CPU_LIMITS
    return Pace(limits, compute_threads())


def embedder(outbox: Outbox) -> Embedder:
    """A new embedder over the shared models; every thread needs its own."""
    return Embedder(models(), vector_cache(), outbox, pace())


@cache
def broker() -> Redis:
    """The broker; redis-py clients may be used by several threads."""
    return broker_client(load_config().redis_url)


def drainer(name: str) -> Drainer:
    """The drain loop that reports itself alive as `name`."""
    redis = broker()
    outbox = Outbox(redis)
    use_cores = torch.set_num_threads if compute_threads() > 1 else _leave_cores
    return Drainer(redis, embedder(outbox), outbox, name, use_cores)


def _leave_cores(_: int) -> None:
    """One thread that computes keeps the cores that it has."""


def embed_now(batch: EmbedBatch) -> None:
    """Embed and answer `batch` in the calling thread. Raises RedisError when the reply cannot be sent."""
    if compute_threads() > 1:
        torch.set_num_threads(1)
    outbox = Outbox(broker())
    worker = embedder(outbox)
    worker.admit(batch)
    while not worker.idle:
        worker.drop_expired()
        worker.resume()
        if not worker.step():
            time.sleep(_LOOK_SECONDS)
    outbox.flush()


def preload() -> None:
    """Load the packaged default model, so that the first request need not wait for it."""
    wanted = load_config().default_model_id == PACKAGED_MODEL.model_id
    if not wanted or importlib.util.find_spec(PACKAGED_MODEL.artifact.removeprefix(PACKAGE)) is None:
        return
    try:
        models().get(PACKAGED_MODEL)
    except ModelError as error:
        logger.warning("the default model was not preloaded: %s", error)
