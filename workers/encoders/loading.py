"""From a model's row in the registry to an encoder of this process."""

from collections.abc import Callable

import torch

from embedding_project.config import Config
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embedding_project.model_sources.model_folder import HASHING, HUB
from workers.encoders.artifact import model_folder
from workers.encoders.base import Encoder, ModelError
from workers.encoders.endpoint import load_endpoint
from workers.encoders.hashing import HashingEncoder
from workers.encoders.hub_download import HubDownloads
from workers.encoders.transformer import load_transformer

Load = Callable[[ModelSpec], Encoder]


def encoder_loader(config: Config, device: torch.device) -> Load:
    """A function that loads models onto `device`; it raises ModelError, and whatever the libraries raise."""

    downloads = HubDownloads(config)

    def load(spec: ModelSpec) -> Encoder:
        if spec.type is ModelType.OPENAI:
            return load_endpoint(spec, config)
        if spec.type is not ModelType.TRANSFORMERS:
            raise ModelError(f"models of type {spec.type} are not run by this embedder")
        if spec.artifact == HASHING:
            return HashingEncoder(spec.dimension, spec.max_tokens)
        if spec.artifact.startswith(HUB):
            downloads.ensure(spec.artifact)
        return load_transformer(spec, model_folder(spec.artifact, config.model_root), device)

    return load


def chosen_device(config: Config) -> torch.device:
    """The device of `EMBED_DEVICE`; auto takes the GPU when there is one."""
    if config.embed_device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(config.embed_device)
