"""What the double keeps: namespaces and their documents, in memory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from embsearch.testing.matching import flatten
from embsearch.testing.refusals import Refusal


@dataclass(slots=True, kw_only=True)
class Stored:
    id: str
    text: str | None
    metadata: dict[str, Any]
    vector: list[float]
    revision: int
    expires_at: str | None
    order: int
    """When its id was first written."""
    updated_at: str = ""

    def __post_init__(self) -> None:
        self.updated_at = datetime.now(UTC).isoformat()


@dataclass(slots=True, kw_only=True)
class Space:
    name: str
    model_id: str
    store_text: bool = True
    text_search: str = "off"
    created_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    documents: dict[str, Stored] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    """Of deleted documents, so that they go on rising."""

    def write(
        self,
        doc_id: str,
        text: str | None,
        metadata: dict[str, Any],
        vector: list[float],
        expires_at: str | None = None,
    ) -> Stored:
        """An identical write changes nothing."""
        old = self.documents.get(doc_id)
        meant = (text, vector, canonical(metadata), expires_at)
        if old and (old.text, old.vector, canonical(old.metadata), old.expires_at) == meant:
            return old
        new = Stored(
            id=doc_id,
            text=text,
            metadata=metadata,
            vector=vector,
            expires_at=expires_at,
            revision=(old.revision if old else self.revisions.get(doc_id, 0)) + 1,
            order=old.order if old else len(self.documents) + len(self.revisions),
        )
        self.documents[doc_id] = new
        self.revisions.pop(doc_id, None)
        return new

    def update(self, stored: Stored, new: Mapping[str, Any], unset: list[str]) -> bool:
        """Whether the metadata is another now."""
        changed = {key: value for key, value in {**stored.metadata, **new}.items() if key not in unset}
        if canonical(changed) == canonical(stored.metadata):
            return False
        self.write(stored.id, stored.text, changed, stored.vector, stored.expires_at)
        return True

    def delete(self, doc_id: str) -> bool:
        stored = self.documents.pop(doc_id, None)
        if stored is not None:
            self.revisions[doc_id] = stored.revision + 1
        return stored is not None

    def fields(self) -> list[str]:
        return sorted({path for stored in self.documents.values() for path in flatten(stored.metadata)})


@dataclass(slots=True)
class State:
    model_id: str
    spaces: dict[str, Space] = field(default_factory=dict)
    writes: int = 0

    def space(self, name: str) -> Space:
        """Raises Refusal when nothing was ever written there."""
        if name not in self.spaces:
            raise Refusal("unknown_namespace", "Nothing was ever written to this namespace.", status=404)
        space, now = self.spaces[name], datetime.now(UTC)
        for stored in list(space.documents.values()):
            if stored.expires_at and datetime.fromisoformat(stored.expires_at) <= now:
                space.delete(stored.id)
        return space

    def written_space(self, name: str) -> Space:
        self.writes += 1
        return self.spaces.setdefault(name, Space(name=name, model_id=self.model_id))

    def token(self) -> str:
        return f"fake-{self.writes}"

    def check_tokens(self, given: object) -> None:
        for place, token in enumerate(given if isinstance(given, list) else [given]):
            self._check_token(token, f"min_token[{place}]" if isinstance(given, list) else "min_token")

    def _check_token(self, token: object, field: str) -> None:
        number = token.removeprefix("fake-") if isinstance(token, str) and token.startswith("fake-") else ""
        if not (number.isdigit() and int(number) <= self.writes):
            raise Refusal("invalid_token", field=field)


def canonical(value: Any) -> str:
    """5 and 5.0 are one value; 1 and true are two."""
    return json.dumps(_whole(value), sort_keys=True)


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
