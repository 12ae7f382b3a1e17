"""Numbers and rows in JSON."""

import numpy as np
import orjson

from embedding_project.contracts.vectors import from_bytes, to_bytes
from embeddings_app.api.rendering import OrjsonRenderer


def test_rows_of_float32_come_back_bit_for_bit() -> None:
    rows = np.random.default_rng(7).standard_normal((4, 384)).astype(np.float32)
    sent = OrjsonRenderer().render({"embeddings": [from_bytes(to_bytes(row), 384)[0] for row in rows]})
    assert (np.array(orjson.loads(sent)["embeddings"], dtype=np.float32) == rows).all()


def test_a_missing_row_is_null() -> None:
    assert OrjsonRenderer().render({"embeddings": [None]}) == b'{"embeddings":[null]}'
