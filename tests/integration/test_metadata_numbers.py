"""A number of metadata means the same to Postgres, to an index node and to a filter: what its decimal digits say."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from embedding_project.config import load_config
from embedding_project.contracts.filters import matches, parse_filter
from embedding_project.contracts.metadata import checked_metadata, flatten
from embeddings_app.api.rendering import to_json
from embeddings_app.api.strict_json import strict_loads
from embeddings_app.services.documents.reading import read_document
from embeddings_app.services.documents.upserting import upsert
from index_nodes.columns import Columns
from index_nodes.log_reader import connect
from tests.integration.indexing_steps import NAMESPACE, document, put, request

pytestmark = pytest.mark.usefixtures("database")
KNOWN = [
    1.989e30, 1e23, 1.7643548061234568e18, 1764354806123456800, -0.0, 0, 5, 5.0, 0.1, 1e300, 5e-324, 1e16, 10**16,
    2**53 + 1, float(2**53), float(2**60 + 256), 2**64 - 1, 1.8446744073709552e19, -(2**63), -9.3e18,
]  # fmt: skip
numbers = st.one_of(
    st.sampled_from(KNOWN),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(1e15, 1e20).map(lambda number: float(round(number))),
)
HOLDS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "eq": lambda value, operand: value == operand,
    "ne": lambda value, operand: value != operand,
    "gt": lambda value, operand: value > operand,
    "gte": lambda value, operand: value >= operand,
    "lt": lambda value, operand: value < operand,
    "lte": lambda value, operand: value <= operand,
}


def _digits(number: float) -> Decimal:
    return Decimal(repr(number))


def _received(value: object) -> Any:
    """`value` as it arrives over HTTP."""
    return strict_loads(json.dumps(value).encode())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(numbers, min_size=1, max_size=6), numbers)
@example(KNOWN, 1.7643548061234568e18)
@example(KNOWN, 1e23)
@example(KNOWN, 1764354806123456800)
def test_a_filter_finds_what_its_digits_say(stored: list[float], operand: float) -> None:
    metadata = [checked_metadata(_received({"n": number}), "metadata") for number in stored]
    upsert(request(*(document(str(place), "text", item) for place, item in enumerate(metadata))))
    hydrated = [read_document(NAMESPACE, str(place), include_vector=False).metadata for place in range(len(stored))]
    columns = Columns(len(stored))
    with connect(load_config().database_url, "test") as node:
        rows = node.execute("SELECT doc_id, metadata FROM document", binary=True).fetchall()
    for doc_id, row in rows:
        if int(doc_id) < len(stored):
            columns.set_row(int(doc_id), flatten(row))
    for operator, holds in HOLDS.items():
        node_ = parse_filter(_received({"n": {operator: operand}}))
        assert node_ is not None
        expected = [holds(_digits(number), _digits(operand)) for number in stored]
        assert [matches(node_, flatten(item)) for item in hydrated] == expected
        assert columns.mask(node_, len(stored)).tolist() == expected


@pytest.mark.parametrize("number", KNOWN, ids=repr)
def test_a_number_comes_back_and_the_same_again_is_no_change(number: float) -> None:
    metadata = checked_metadata(_received({"n": number, "list": [number], "inner": {"n": number}}), "metadata")
    (first,) = put(("a", "text"), metadata=metadata)
    (again,) = put(("a", "text"), metadata=metadata)
    assert (first.revision, again.revision) == (1, 1)
    shown = json.loads(to_json(read_document(NAMESPACE, "a", include_vector=False).metadata))
    for back in (shown["n"], shown["list"][0], shown["inner"]["n"]):
        assert _digits(back) == _digits(number)
