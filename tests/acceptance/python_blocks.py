"""The Python code on a page, run as it stands there, block after block. Also a program: PAGE URL."""

import re
import sys
from pathlib import Path

from embsearch import Client

_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


def run_blocks(page: Path, url: str) -> None:
    """Only the address of the service is replaced."""
    text = page.read_text(encoding="utf-8").replace("http://127.0.0.1:8000", url)
    blocks = list(_PYTHON.finditer(text))
    assert blocks
    known: dict[str, object] = {"__name__": page.stem}
    for block in blocks:
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], str(page), "exec"), known)
    for value in known.values():
        if isinstance(value, Client):
            value.close()


if __name__ == "__main__":
    run_blocks(Path(sys.argv[1]), sys.argv[2])
