"""The keys of endpoints: files in a directory, read at each use and kept nowhere."""

import re
from pathlib import Path

from embedding_project.regular_files import read_regular
from workers.encoders.base import ModelError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MAX_BYTES = 8_192
_KEY = re.compile(r"[\x21-\x7e]{1,4096}")


def read_secret(directory: str, name: str) -> str:
    """The secret `name`. Raises ModelError, which names it and says nothing of its content."""
    if not directory:
        raise ModelError(f"the model needs the secret {name}, and EMBED_SECRETS_DIR is not set")
    if not _NAME.fullmatch(name):
        raise ModelError("the name of the secret is not a plain file name")
    try:
        content = read_regular(Path(directory) / name, _MAX_BYTES).decode("ascii", "replace").strip()
    except OSError as error:
        raise ModelError(f"the secret {name} cannot be read from EMBED_SECRETS_DIR: {error.strerror}") from None
    # A header cannot hold other characters, and the error of the library would quote the key.
    if not _KEY.fullmatch(content):
        raise ModelError(f"the secret {name} is empty, or not one line of ASCII without spaces")
    return content
