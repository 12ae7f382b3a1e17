"""Downloads of hub models beside the drain loop, which goes on with other models meanwhile."""

import logging
import threading
from collections.abc import Callable

from embedding_project.config import Config
from embedding_project.model_sources.hub import download
from embedding_project.model_sources.model_folder import HubName, ModelFilesError, hub_folder, hub_name
from workers.encoders.base import ModelError

_WAIT_SECONDS = 3.0
"""A small model is there by then; an embedder that is silent for 5 counts as dead."""
logger = logging.getLogger(__name__)


class HubDownloads:
    """The downloads of this process, each in a thread of its own."""

    def __init__(self, config: Config, fetch: Callable[[HubName, Config], None] = download) -> None:
        self._config = config
        self._fetch = fetch
        self._running: dict[HubName, threading.Thread] = {}
        self._problems: dict[HubName, str] = {}

    def ensure(self, artifact: str) -> None:
        """Return when the folder of `artifact` is there. Raises ModelError while it is not."""
        name = hub_name(artifact)
        if name is None or not name.commit:
            raise ModelError(f"{artifact} is not pinned to a commit")
        if hub_folder(name, self._config.model_root).is_dir():
            return
        if name not in self._running:
            thread = threading.Thread(target=self._run, args=(name,), name="hub-download", daemon=True)
            self._running[name] = thread
            thread.start()
        self._running[name].join(_WAIT_SECONDS)
        if self._running[name].is_alive():
            raise ModelError("it is being downloaded from the hub")
        del self._running[name]
        problem = self._problems.pop(name, "")
        if problem:
            raise ModelError(problem)

    def _run(self, name: HubName) -> None:
        try:
            self._fetch(name, self._config)
            logger.warning("downloaded %s", name.artifact)
        except (ModelFilesError, OSError) as error:
            self._problems[name] = str(error)
