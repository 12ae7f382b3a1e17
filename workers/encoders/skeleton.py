"""A check that a configuration asks for the tensors that the files hold, before any tensor takes memory.

The library builds the model on a device without memory. The check stops it as soon as the model is larger than its
weights, so a false configuration costs no more than a true one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import Module, Parameter
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from embedding_project.model_sources.weights import StoredTensor
from workers.encoders.base import ModelError
from workers.encoders.library import transformers_library

_MODULES_PER_TENSOR = 20
_LEAST_MODULES = 1_000
_OLD_ENDINGS = {"gamma": "weight", "beta": "bias"}


def check_fits(config: Any, stored: Mapping[str, StoredTensor]) -> None:
    """Raises ModelError when the model of `config` has other tensors than the files, or far more than they hold."""
    held = sum(tensor.numbers for tensor in stored.values())
    # Files may lack the pooler, which no code here uses.
    with _stopped_beyond(2 * held, _LEAST_MODULES + _MODULES_PER_TENSOR * len(stored)), torch.device("meta"):
        try:
            skeleton = transformers_library().AutoModel.from_config(config, attn_implementation="sdpa")
        except (TypeError, RuntimeError, OverflowError) as error:
            raise ModelError(f"config.json describes no model: {type(error).__name__}") from error
    shapes = {_plain_name(name, skeleton.base_model_prefix): tensor.shape for name, tensor in stored.items()}
    for name, parameter in skeleton.named_parameters():
        if name in shapes and shapes[name] != tuple(parameter.shape):
            asked, found = list(parameter.shape), list(shapes[name])
            raise ModelError(f"config.json asks for {name} of shape {asked}, the weights have {found}")


def _plain_name(name: str, prefix: str) -> str:
    start, dot, end = name.removeprefix(f"{prefix}.").rpartition(".")
    return f"{start}{dot}{_OLD_ENDINGS.get(end, end)}"


@contextmanager
def _stopped_beyond(most_numbers: int, most_modules: int) -> Iterator[None]:
    """Raises ModelError in the block as soon as a model that it builds is larger. One block at a time."""
    numbers = modules = 0

    def count_module(_parent: Module, _name: str, _child: Module) -> None:
        nonlocal modules
        modules += 1
        if modules > most_modules:
            raise ModelError("config.json describes a model of far more layers than its weights have")

    def count_parameter(_parent: Module, _name: str, parameter: Parameter) -> None:
        nonlocal numbers
        numbers += parameter.numel()
        if numbers > most_numbers:
            raise ModelError("config.json describes a model that is far larger than its weights")

    hooks = (
        register_module_module_registration_hook(count_module),
        register_module_parameter_registration_hook(count_parameter),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
