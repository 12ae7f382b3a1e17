"""Makes sure that a snapshot is whole before anything of it is believed, and reads it.

In this order: manifest, list of files, sizes, SHA-256 of every file, a child process that lets Faiss read the graphs,
then this process, then the digest.
"""

import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from embedding_project.config import PROJECT_ROOT, inherited_environment
from index_nodes.snapshot_contents import is_graph, read_contents
from index_nodes.snapshot_files import sha256_of
from index_nodes.snapshot_manifest import MANIFEST, Manifest, SnapshotDamaged, read_manifest
from index_nodes.tally import DIGEST_MODULUS
from index_nodes.version_index import VersionIndex

CHECK_SECONDS = 60.0
"""For the child, and one more for each 100 MB of graphs."""
_BYTES_A_SECOND = 100_000_000
_POLL_SECONDS = 0.02


class Abandoned(Exception):
    """Nobody needs the snapshot any more."""


def verified(folder: Path) -> Manifest:
    """The manifest of a folder in which exactly the files it names lie as they were written. Raises SnapshotDamaged."""
    try:
        manifest = read_manifest(folder)
        if set(os.listdir(folder)) != {*manifest.files, MANIFEST}:
            raise SnapshotDamaged("it has other files than its manifest says")
        for name, facts in manifest.files.items():
            found = (folder / name).lstat()
            if not stat.S_ISREG(found.st_mode) or found.st_size != facts.size:
                raise SnapshotDamaged(f"{name} is no file of the right size")
        for name, facts in manifest.files.items():
            if sha256_of(folder / name) != facts.sha256:
                raise SnapshotDamaged(f"{name} was changed")
    except OSError as error:
        raise SnapshotDamaged(f"it cannot be read: {error.strerror}") from error
    return manifest


def check_graphs(folder: Path, manifest: Manifest, unwanted: Callable[[], bool]) -> None:
    """Let a process of its own read the graphs first: what crashes Faiss must not take the node along.
    Raises SnapshotDamaged, Abandoned as soon as `unwanted`."""
    size = sum(facts.size for name, facts in manifest.files.items() if is_graph(name))
    if not size:
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "index_nodes.snapshot_check", str(folder)], cwd=PROJECT_ROOT,
        env=inherited_environment() | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + CHECK_SECONDS + size / _BYTES_A_SECOND
    try:
        while process.poll() is None:
            if unwanted():
                raise Abandoned
            if time.monotonic() > deadline:
                raise SnapshotDamaged("Faiss did not read its graphs in time")
            time.sleep(_POLL_SECONDS)
    finally:
        process.kill()
        _, words = process.communicate()
    if process.returncode:
        raise SnapshotDamaged(f"Faiss refused its graphs with status {process.returncode}: {words.strip()[-300:]}")


def restore(folder: Path, manifest: Manifest, index: VersionIndex) -> None:
    """Fill an empty index from a verified snapshot, or leave it empty. Raises SnapshotDamaged, Abandoned."""
    graphs = index.directory / folder.name
    try:
        graphs.mkdir()
        states = read_contents(folder, manifest.dimension, graphs)
        documents = sum(state.documents for state in states.values())
        digest = sum(state.digest for state in states.values()) % DIGEST_MODULUS
        if (documents, digest) != (manifest.documents, manifest.digest):
            raise ValueError("the documents are not those of the manifest")
        index.restore(states)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        shutil.rmtree(graphs, ignore_errors=True)
        if index.closed:
            raise Abandoned from error
        raise SnapshotDamaged(f"its files contradict one another: {error}") from error
