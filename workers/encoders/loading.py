"""From a model's row in the registry to an encoder of this process."""

import os
import threading
from collections.abc import Callable

import torch

from embedding_project.config import Config
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embedding_project.model_sources.hub import download
from embedding_project.model_sources.model_folder import HASHING, ModelFilesError, hub_name, model_folder
from workers.encoders.base import Encoder, ModelError
from workers.encoders.cross import load_cross_encoder
from workers.encoders.endpoint import load_endpoint
from workers.encoders.hashing import HashingEncoder
from workers.encoders.packaged import load_packaged
from workers.encoders.transformer import load_transformer

Load = Callable[[ModelSpec], Encoder]


def encoder_loader(config: Config, device: torch.device) -> Load:
    """A function that loads models onto `device`; it raises ModelError, and the errors of the libraries.

    Several threads may call it. Downloads run in parallel, but one thread at a time reads weights: the libraries change
    settings of the whole process during that.
    """
    reading = threading.Lock()
    most_bytes = config.embed_memory_mb * 2**20 or _machine_bytes()

    def load(spec: ModelSpec) -> Encoder:
        if spec.type is ModelType.OPENAI:
            return load_endpoint(spec, config)
        if spec.type not in (ModelType.TRANSFORMERS, ModelType.CROSS_ENCODER):
            raise ModelError(f"models of type {spec.type} are not run by this embedder")
        if spec.artifact == HASHING:
            return HashingEncoder(spec.dimension, spec.max_tokens)
        try:
            _ensure_downloaded(spec.artifact, config)
            with reading:
                folder = model_folder(spec.artifact, config.model_root)
                if spec.type is ModelType.CROSS_ENCODER:
                    return load_cross_encoder(spec, folder, device, most_bytes)
                known = load_packaged(spec, folder, device, most_bytes)
                return known or load_transformer(spec, folder, device, most_bytes)
        except ModelFilesError as error:
            raise ModelError(str(error)) from error

    return load


def _ensure_downloaded(artifact: str, config: Config) -> None:
    name = hub_name(artifact)
    if name is None:
        return
    if not name.commit:
        raise ModelError(f"{artifact} is not pinned to a commit")
    try:
        download(name, config)
    except OSError as error:
        raise ModelError(f"it cannot be written below MODEL_ROOT: {error.strerror}") from error


def _machine_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def chosen_device(config: Config) -> torch.device:
    """The device of `EMBED_DEVICE`; `auto` takes the GPU when there is one."""
    if config.embed_device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(config.embed_device)
