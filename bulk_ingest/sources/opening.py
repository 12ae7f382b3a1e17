"""Opens input files, of this machine or of object storage, plain or compressed."""

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa

from bulk_ingest.sources.objects import ObjectFile, is_object
from bulk_ingest.sources.raw import InputFile

COMPRESSED = (".gz", ".zst")
_OBJECT_BUFFER = 4 << 20
"""Of one request, so that an object is not read line by line."""


@contextmanager
def opened(file: InputFile) -> Iterator[IO[bytes]]:
    """As it is stored. Raises OSError, SourceError."""
    if is_object(file.path):
        with io.BufferedReader(ObjectFile(file.path, file.size, file.etag), _OBJECT_BUFFER) as reader:
            yield reader
    else:
        with Path(file.path).open("rb") as plain:
            yield plain


@contextmanager
def unpacked(file: InputFile) -> Iterator[IO[bytes]]:
    """Not compressed any more. Raises OSError, EOFError, zlib.error, pyarrow.ArrowException, SourceError."""
    with opened(file) as stored:
        if file.path.endswith(".gz"):
            with gzip.open(stored) as unzipped:
                yield cast(IO[bytes], unzipped)
        elif file.path.endswith(".zst"):
            with pa.CompressedInputStream(cast(Any, stored), "zstd") as stream:
                yield io.BufferedReader(stream)
        else:
            yield stored
