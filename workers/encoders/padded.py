"""The unchanged transformers library: it pads texts to the longest of their step. Other ways must give its vectors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from embedding_project.contracts.vectors import Vector
from workers.encoders.base import Tokens
from workers.encoders.pooling import Pooling


class PaddedEncoding:
    """From token ids to vectors, for one model and pooling."""

    def __init__(self, model: Any, pooling: Pooling, pad_id: int, device: torch.device) -> None:
        self._model = model
        self._pool = pooling
        self._pad_id = pad_id
        self._device = device

    def __call__(self, batch: Sequence[Tokens]) -> Vector:
        """Vectors of shape (len(batch), d), not normalised."""
        ids, mask = padded(batch, self._pad_id)
        with torch.inference_mode():
            inputs = torch.from_numpy(ids).to(self._device)
            real = torch.from_numpy(mask).to(self._device)
            hidden = self._model(input_ids=inputs, attention_mask=real).last_hidden_state
            vectors: Vector = self._pool(hidden.float(), real).cpu().numpy()
        return vectors


def padded(batch: Sequence[Tokens], pad_id: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and mask, shape (n, longest), padded on the right."""
    shape = (len(batch), max(map(len, batch)))
    ids = np.full(shape, pad_id, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens.ids
        mask[row, : len(tokens)] = 1
    return ids, mask
