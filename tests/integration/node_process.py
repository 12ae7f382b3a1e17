"""One index node without a queue, as a process that a test may kill: python -m tests.integration.node_process"""

import argparse
import threading
from pathlib import Path

from embedding_project.config import load_config
from index_nodes.log_follower import Follower
from index_nodes.slots import MAX_TOMBSTONES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--most-tombstones", type=int, default=MAX_TOMBSTONES)
    options = parser.parse_args()
    url, tombstones = load_config().database_url, options.most_tombstones
    Follower(url, options.shard, 0, options.folder, most_tombstones=tombstones).start(keep_snapshots=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
