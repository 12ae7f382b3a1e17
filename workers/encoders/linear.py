"""A linear layer that puts its weights into the layout of the processor's library once, and not at every call."""

from enum import StrEnum

import torch
from torch import Tensor
from torch.nn.functional import gelu, linear


class Activation(StrEnum):
    NONE = "none"
    GELU = "gelu"
    """The exact one, by the error function."""


def multiplies_bf16(device: torch.device) -> bool:
    """Whether `device` has instructions for bf16: other devices emulate them, and are slower than with fp32."""
    return device.type != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # noqa: SLF001


class Linear:
    """rows [n, inputs] -> activation(rows @ weight.T + bias) [n, outputs], all in the type of its weights."""

    def __init__(self, weight: Tensor, bias: Tensor, activation: Activation = Activation.NONE) -> None:
        """`weight` has shape (outputs, inputs)."""
        self._bias = bias.clone()
        self._activation = activation
        self._laid_out = _laid_out(weight)
        self._weight = weight.clone() if self._laid_out is None else None

    def __call__(self, rows: Tensor) -> Tensor:
        if self._laid_out is not None:
            # The overload is named: to choose it, torch would read the bias as a list of numbers.
            found: Tensor = torch.ops.mkldnn._linear_pointwise.default(  # noqa: SLF001
                rows, self._laid_out, self._bias, self._activation, [], "none"
            )
            return found
        assert self._weight is not None
        found = linear(rows, self._weight, self._bias)
        return gelu(found) if self._activation is Activation.GELU else found


def _laid_out(weight: Tensor) -> Tensor | None:
    """The weights in the layout of oneDNN; None where oneDNN does not compute them."""
    if weight.device.type != "cpu" or weight.dtype not in (torch.float32, torch.bfloat16):
        return None
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_reorder_linear_weight"):  # type: ignore[no-untyped-call]
        return None
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), None)  # noqa: SLF001
    return packed
