"""Reading the lines that warm the cache: what is bad is named by its number and costs no other line."""

from io import BytesIO

from embedding_project.contracts.limits import MAX_TEXT_BYTES
from embeddings_app.services.embedding.warming import BadLine, Line, read_lines


def test_texts_and_json_lines_are_read_and_empty_lines_left_out() -> None:
    lines = list(read_lines(BytesIO('plain text\n\n{"text": "of an object"}\r\n  Zoe\u0308  '.encode())))
    assert lines == [Line(1, "plain text"), Line(3, "of an object"), Line(4, "Zo\u00eb")]


def test_a_bad_line_is_named_and_the_next_one_read() -> None:
    bad = [b"\xff\xfe", b'{"text": 5}', b'{"txt": "x"}', b'{"text": ', b"nul \x00 inside", b"x" * (MAX_TEXT_BYTES + 1)]
    lines = list(read_lines(BytesIO(b"\n".join([*bad, b"good"]))))
    assert [line.number for line in lines if isinstance(line, BadLine)] == [1, 2, 3, 4, 5, 6]
    assert lines[-1] == Line(7, "good")
    assert "nul" not in "".join(line.reason for line in lines if isinstance(line, BadLine))


def test_a_line_without_end_is_one_bad_line() -> None:
    lines = list(read_lines(BytesIO(b"x" * (40 * MAX_TEXT_BYTES) + b"\ngood\n")))
    assert [type(line) for line in lines] == [BadLine, Line]
