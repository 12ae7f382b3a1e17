"""From one vector per token to one vector per text. Texts are padded on the right."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Pooling = Callable[[Tensor, Tensor], Tensor]
"""(hidden states [n, length, d], mask [n, length] of 1 for real tokens) -> vectors [n, d]"""


def mean(hidden: Tensor, mask: Tensor) -> Tensor:
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def cls(hidden: Tensor, _mask: Tensor) -> Tensor:
    return hidden[:, 0]


def last(hidden: Tensor, mask: Tensor) -> Tensor:
    rows = torch.arange(len(hidden), device=hidden.device)
    return hidden[rows, mask.sum(dim=1) - 1]


POOLINGS: Mapping[str, Pooling] = {"mean": mean, "cls": cls, "last": last}
