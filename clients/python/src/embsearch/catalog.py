"""`client.namespaces` and `client.models`."""

from embsearch import service_steps, text_steps
from embsearch.answers import NamespaceInfo
from embsearch.exchange import Patience
from embsearch.model_answers import ModelVersion
from embsearch.sync_runner import SyncRunner


class Namespaces:
    def __init__(self, runner: SyncRunner, patience: Patience) -> None:
        self._runner, self._patience = runner, patience

    def list(self) -> tuple[NamespaceInfo, ...]:
        """All that the key may see, by name."""
        return self._runner.run(service_steps.namespace_list(self._patience))

    def create(
        self,
        name: str,
        *,
        model_id: str | None = None,
        store_text: bool | None = None,
        text_search: str | None = None,
    ) -> None:
        """Make a namespace before its first write, which would make it too. It is no error when it is there already,
        with the same model."""
        self._runner.run(service_steps.create_namespace(name, model_id, store_text, text_search, self._patience))

    def set_text_search(self, name: str, language: str) -> None:
        """Keep the words of texts from now on, in a language or as they stand (simple), or no more (off). Those of
        documents that are there follow in the background: see `status().text_search`."""
        self._runner.run(service_steps.set_text_search(name, language, self._patience))

    def delete(self, name: str) -> bool:
        """Drop a namespace with all its documents. Says whether there was one."""
        return self._runner.run(service_steps.drop_namespace(name, self._patience))


class Models:
    def __init__(self, runner: SyncRunner, patience: Patience) -> None:
        self._runner, self._patience = runner, patience

    def list(self) -> tuple[ModelVersion, ...]:
        """Every version that is not retired."""
        return self._runner.run(text_steps.model_list(self._patience))
