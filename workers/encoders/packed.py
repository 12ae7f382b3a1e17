"""A BERT without padding: the tokens of all texts of a step stand one after the other in one matrix.

Every layer but attention works on single tokens, so it is one product over the real tokens. Attention works on one text
at a time; texts of equal length share a call, which needs no mask.

Products and attention may be computed in a narrower type: sums, norms and pooling keep the type of the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, scaled_dot_product_attention

from embedding_project.contracts.vectors import Vector
from workers.encoders.base import ModelError, Tokens
from workers.encoders.linear import Activation, Linear
from workers.encoders.pooling import Pooling

MODEL_TYPE = "bert"


@dataclass(frozen=True, slots=True)
class Norm:
    weight: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, rows: Tensor) -> Tensor:
        return layer_norm(rows, self.weight.shape, self.weight, self.bias, self.epsilon)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    inputs: Linear
    """Queries, keys and values in one product."""
    attended: Linear
    attended_norm: Norm
    widened: Linear
    narrowed: Linear
    norm: Norm


@dataclass(frozen=True, slots=True)
class Group:
    """Texts of one length, which stand together in the matrix."""

    start: int
    """Row of its first token."""
    texts: int
    length: int

    @property
    def rows(self) -> slice:
        return slice(self.start, self.start + self.texts * self.length)


class PackedBert:
    def __init__(self, config: Any, named: Mapping[str, Tensor], products: torch.dtype) -> None:
        """`config`: the settings of config.json as attributes; `named`: the weights; `products`: the type of the
        products. Raises ModelError when this code cannot compute such a model."""
        _check(config)
        self._products = products
        self._heads: int = config.num_attention_heads
        epsilon = config.layer_norm_eps
        with torch.inference_mode():
            self._words: Tensor = named["embeddings.word_embeddings.weight"].clone()
            positions = named["embeddings.position_embeddings.weight"]
            # There is one sentence, so every token has the first type.
            self._positions: Tensor = positions + named["embeddings.token_type_embeddings.weight"][0]
            self._norm = _norm(named, "embeddings.LayerNorm", epsilon)
            self._layers = [
                _layer(named, f"encoder.layer.{number}", epsilon, products)
                for number in range(config.num_hidden_layers)
            ]

    def hidden(self, ids: Tensor, positions: Tensor, groups: Sequence[Group]) -> Tensor:
        """Hidden states of the texts in `groups`, shape (rows, width); `ids` and `positions` have shape (rows,).

        Rows after the last group are spare.
        """
        rows = self._norm(self._words[ids] + self._positions[positions])
        for layer in self._layers:
            attended = layer.attended(self._attention(layer.inputs(rows.to(self._products)), groups))
            rows = layer.attended_norm(rows.add_(attended))
            rows = layer.norm(rows.add_(layer.narrowed(layer.widened(rows.to(self._products)))))
        return rows

    def _attention(self, inputs: Tensor, groups: Sequence[Group]) -> Tensor:
        attended = [self._attended(inputs[group.rows], group) for group in groups]
        spare = len(inputs) - groups[-1].rows.stop
        return torch.cat([*attended, inputs.new_zeros(spare, attended[0].shape[1])])

    def _attended(self, inputs: Tensor, group: Group) -> Tensor:
        split = inputs.view(group.texts, group.length, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        found = scaled_dot_product_attention(split[0], split[1], split[2])
        return found.transpose(1, 2).reshape(group.texts * group.length, -1)


class PackedEncoding:
    """From token ids to vectors, for one model and pooling."""

    def __init__(
        self, config: Any, named: Mapping[str, Tensor], pooling: Pooling, device: torch.device, products: torch.dtype
    ) -> None:
        """Raises ModelError when the model cannot be computed without padding. See `PackedBert`."""
        self._bert = PackedBert(config, named, products)
        self._pool = pooling
        self._device = device

    def __call__(self, batch: Sequence[Tokens]) -> Vector:
        """Vectors of shape (len(batch), d), not normalised."""
        order = sorted(range(len(batch)), key=lambda position: len(batch[position]))
        groups, start = [], 0
        for length, alike in groupby(order, key=lambda position: len(batch[position])):
            group = Group(start, len(list(alike)), length)
            groups.append(group)
            start = group.rows.stop
        with torch.inference_mode():
            spare = [0] * (rounded_rows(start) - start)
            ids = [token for position in order for token in batch[position].ids]
            places = [place for group in groups for place in [*range(group.length)] * group.texts]
            inputs = torch.tensor([ids + spare, places + spare], device=self._device)
            hidden = self._bert.hidden(inputs[0], inputs[1], groups).float()
            pooled = torch.cat([self._pooled(hidden[group.rows], group) for group in groups])
            vectors = torch.empty_like(pooled)
            vectors[order] = pooled
            found: Vector = vectors.cpu().numpy()
        return found

    def _pooled(self, hidden: Tensor, group: Group) -> Tensor:
        texts = hidden.view(group.texts, group.length, -1)
        return self._pool(texts, torch.ones(texts.shape[:2], dtype=torch.long, device=self._device))


def rounded_rows(tokens: int) -> int:
    """`tokens` and at most a sixteenth more, at least 8: the library compiles and keeps a kernel for every count."""
    step = 1 << max(3, tokens.bit_length() - 5)
    return -(-tokens // step) * step


def _check(config: Any) -> None:
    if config.model_type != MODEL_TYPE:
        raise ModelError(f"a model of type {config.model_type} is not computed without padding, {MODEL_TYPE} is")
    if config.hidden_act != "gelu" or getattr(config, "position_embedding_type", "absolute") not in (None, "absolute"):
        raise ModelError("its activation or its positions are not computed without padding")
    if config.is_decoder or config.add_cross_attention:
        raise ModelError("a decoder is not computed without padding")


def _layer(named: Mapping[str, Tensor], prefix: str, epsilon: float, products: torch.dtype) -> Layer:
    def linear(*parts: str, activation: Activation = Activation.NONE) -> Linear:
        weight = torch.cat([named[f"{prefix}.{part}.weight"] for part in parts])
        bias = torch.cat([named[f"{prefix}.{part}.bias"] for part in parts])
        return Linear(weight.to(products), bias.to(products), activation)

    return Layer(
        inputs=linear("attention.self.query", "attention.self.key", "attention.self.value"),
        attended=linear("attention.output.dense"),
        attended_norm=_norm(named, f"{prefix}.attention.output.LayerNorm", epsilon),
        widened=linear("intermediate.dense", activation=Activation.GELU),
        narrowed=linear("output.dense"),
        norm=_norm(named, f"{prefix}.output.LayerNorm", epsilon),
    )


def _norm(named: Mapping[str, Tensor], prefix: str, epsilon: float) -> Norm:
    return Norm(named[f"{prefix}.weight"].clone(), named[f"{prefix}.bias"].clone(), epsilon)
