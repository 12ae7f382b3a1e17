"""What a heartbeat says of the sizes of namespaces: the largest by name, and a bound for the others."""

import json
from typing import Any

from index_nodes.namespace_sizes import LEAST_NAMED, NamespaceSizes


def said(sizes: NamespaceSizes) -> Any:
    return json.loads(sizes.to_json())


def test_large_namespaces_are_named_and_small_ones_are_not() -> None:
    sizes = NamespaceSizes()
    sizes.note(1, LEAST_NAMED)
    sizes.note(2, LEAST_NAMED - 1)
    assert said(sizes) == {"named": {"1": LEAST_NAMED}, "others": LEAST_NAMED}


def test_a_namespace_that_shrinks_or_goes_is_named_no_more() -> None:
    sizes = NamespaceSizes()
    for key in (1, 2, 3):
        sizes.note(key, 2 * LEAST_NAMED)
    sizes.note(1, 5)
    sizes.forget(2)
    assert set(said(sizes)["named"]) == {"3"}


def test_of_very_many_the_largest_are_named_and_no_other_is_larger_than_said() -> None:
    sizes = NamespaceSizes(most_named=3)
    for key in range(10):
        sizes.note(key, (key + 1) * LEAST_NAMED)
    assert said(sizes) == {
        "named": {"9": 10 * LEAST_NAMED, "8": 9 * LEAST_NAMED, "7": 8 * LEAST_NAMED},
        "others": 8 * LEAST_NAMED,
    }
