"""`python -m bulk_ingest.spark.package FILE`: the code that executors need as a zip, for `spark-submit --py-files`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from bulk_ingest.durable import replaced
from embedding_project.config import PROJECT_ROOT

PACKAGES = ("bulk_ingest", "embedding_project", "embeddings_app", "index_nodes", "supervisor", "workers")
_SUFFIXES = (".py", ".npy")


def write_package(path: Path) -> int:
    """Write the file; how many modules it holds. Raises OSError."""
    sources = [
        source
        for package in PACKAGES
        for source in sorted((PROJECT_ROOT / package).rglob("*"))
        if source.suffix in _SUFFIXES
    ]
    with replaced(path) as file, ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for source in sources:
            archive.write(source, source.relative_to(PROJECT_ROOT))
    return len(sources)


def main(argv: Sequence[str]) -> int:
    if len(argv) != 1:
        print(f"usage: {__doc__}", file=sys.stderr)
        return 2
    print(f"{argv[0]}: {write_package(Path(argv[0]))} modules")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
