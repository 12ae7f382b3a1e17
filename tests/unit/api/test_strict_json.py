"""The parser of bodies: as fast as orjson where nothing is wrong, and never more lenient than the strict reference."""

import json
import sys
from functools import partial
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_JSON_DEPTH, MAX_JSON_NODES
from embeddings_app.api.strict_json import strict_loads
from tests.unit.api.refusals import refusal


def reference(body: bytes) -> Any:
    """What a body means by the standard library, told to refuse what must be refused."""

    def refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError
        return dict(pairs)

    def refuse_large(digits: str) -> int:
        if not -(2**63) <= int(digits) < 2**64:
            raise ValueError
        return int(digits)

    return json.loads(body, object_pairs_hook=refuse_twice, parse_int=refuse_large)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """JSON as a careless client writes it: equal keys, large numbers, colons and braces in strings."""
    texts = st.text(st.sampled_from('ab:{}[]"\\é\u2028 '), max_size=4)
    numbers = st.one_of(
        st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), st.integers(-3, 3)
    )
    leaves = st.one_of(st.none(), st.booleans(), numbers, texts)
    ascii_only = draw(st.booleans())

    def write(value: Any) -> str:
        if isinstance(value, tuple):
            return "{" + ",".join(f"{write(key)}:{write(item)}" for key, item in value) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(write, value)) + "]"
        return json.dumps(value, ensure_ascii=ascii_only)

    def nested(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        members = st.lists(st.tuples(texts, children), max_size=4).map(tuple)
        return st.one_of(st.lists(children, max_size=4), members)

    text = write(draw(st.recursive(leaves, nested, max_leaves=12)))
    return text.replace(":", "\\u003A", draw(st.integers(0, 1))).encode() if draw(st.booleans()) else text.encode()


@given(documents())
@example(b'{"a:":1,"a:":1}')
@example(b'{"a":1,"\\u0061":2}')
@example(b'{"\\u003a":1,"b":{"c":1,"c":2}}')
@example(b"[1.5, 18446744073709551616]")
@example(b'{"a":[[{"b":"\\":","b":":"}]]}')
def test_it_means_what_the_strict_reference_means(body: bytes) -> None:
    try:
        expected = reference(body)
    except ValueError:
        with pytest.raises(InvalidRequest):
            strict_loads(body)
    else:
        assert strict_loads(body) == expected


@pytest.mark.parametrize("body", [b'{"a":1,"a":1}', b'{"x":[{"id":1,"id":2}]}', b'{"a":1,"\\u0061":1}'])
def test_a_key_that_stands_twice_is_refused(body: bytes) -> None:
    assert refusal(lambda: strict_loads(body)) == ("invalid_json", None)


@pytest.mark.parametrize("number", ["18446744073709551616", "-9223372036854775809", "1" + "0" * 30])
def test_an_integer_that_would_not_be_kept_exactly_is_refused(number: str) -> None:
    for body in (f'{{"a":{number}}}', f'{{"a":[1,{number}]}}', f'{{"v":[0.5,{number}]}}'):
        assert refusal(partial(strict_loads, body.encode())) == ("invalid_number", None)


def test_large_floats_are_no_integers() -> None:
    assert strict_loads(b'{"a": 1e300, "b": [18446744073709551616.0]}') == {"a": 1e300, "b": [2.0**64]}


def test_nesting_ends_at_its_limit() -> None:
    def nested(levels: int) -> bytes:
        return b"[" * levels + b"]" * levels

    strict_loads(nested(MAX_JSON_DEPTH))
    assert refusal(lambda: strict_loads(nested(MAX_JSON_DEPTH + 1))) == ("invalid_json", None)


def test_a_body_of_braces_is_refused_before_it_fills_the_memory() -> None:
    assert refusal(lambda: strict_loads(b"[" + b"{}," * (MAX_JSON_NODES + 1) + b"{}]")) == ("invalid_json", None)
    text = "[{:" * MAX_JSON_NODES
    assert strict_loads(json.dumps({"text": text}).encode()) == {"text": text}


def steps(body: bytes) -> int:
    """How many lines of Python run while `body` is parsed; what they call is one pass over their arguments each."""
    lines = 0

    def count(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        strict_loads(body)
    except InvalidRequest as refused:
        assert refused.code in ("invalid_json", "invalid_number")  # noqa: PT017
    finally:
        sys.settrace(before)
    return lines


UNITS = ['"', "\\", '\\"', "[", ":", "{", '":', '\\\\"', "0", "a", '"a":', "1e5,", "\\u003a"]
WHOLE_UNITS = ['{"a":1}', '{"a":{"b":[{}]}}', "[[0]]", '[""]', "1e5", '"a:"', '{"\\u003a":":"}']


@pytest.mark.parametrize("unit", UNITS + WHOLE_UNITS)
def test_a_body_of_twice_the_length_takes_at_most_twice_the_steps(unit: str) -> None:
    def bodies(times: int) -> tuple[bytes, ...]:
        filling, items = unit.encode() * times, b",".join([unit.encode()] * times)
        return (filling, b'{"a":"' + filling + b'"}', b"[" + filling + b"]", b'{"a":' + filling, b"[" + items + b"]")

    for body, double in zip(bodies(500), bodies(1000), strict=True):
        assert steps(double) <= 2 * steps(body)


@pytest.mark.parametrize("unit", UNITS)
def test_a_body_beyond_the_limit_of_nodes_is_parsed_or_refused(unit: str) -> None:
    filling = unit.encode() * (MAX_JSON_NODES + 1)
    for body in (filling, b'{"a":"' + filling + b'"}', b"[" + filling + b"]", b'{"a":' + filling):
        try:
            strict_loads(body)
        except InvalidRequest as refused:
            assert refused.code in ("invalid_json", "invalid_number")  # noqa: PT017
