"""The page of one model version: what it holds and costs, which nodes have it ready, what can be done with it."""

from typing import Any

from embeddings_app.admin.dashboard_numbers import COLLECTING, capped, rate
from embeddings_app.admin.quantities import size
from embeddings_app.admin.switch_question import verdict_on
from embeddings_app.admin.version_actions import open_run
from embeddings_app.models import LIVE_STATUSES, ModelRegistry
from embeddings_app.records.operations import ReplicaProgress
from embeddings_app.services.model_versions.overview import overview
from embeddings_app.services.model_versions.steps import way_on
from embeddings_app.services.operating.traffic_history import traffic_history

_RECORDS = "/admin/embeddings_app/embeddingrecord/"
_NOW_SECONDS = 60.0
COPY_COLUMNS = ("Node", "State", "Entries behind", "Documents", "In graphs", "Last heard")


def version_state(version: ModelRegistry) -> dict[str, Any]:
    """What the template of the page shows above the fields."""
    found, live = overview(version), version.status in LIVE_STATUSES
    ready_tone = "good" if found.ready.ready >= found.ready.expected else "warn" if found.ready.ready else "bad"
    quarantined = f"{_RECORDS}?state=quarantined&model_version__id__exact={version.pk}"
    return {
        "way_on": way_on(version.status),
        "run": open_run(version),
        "verdict": verdict_on(version),
        "tiles": (
            ("Vectors of documents", f"{found.vectors} of {found.documents}", "", ""),
            ("Pending", capped(found.pending), "", f"{_RECORDS}?state=pending"),
            ("Quarantined", capped(found.quarantined), "warn" if found.quarantined else "good", quarantined),
            ("Copies ready", str(found.ready) if live else "none: not live", ready_tone if live else "", ""),
            ("In Postgres", size(found.disk_bytes), "", ""),
            ("Memory of nodes", f"about {size(found.memory_bytes)}", "", ""),
            *(_traffic_tiles(version) if live else ()),
        ),
        "columns": COPY_COLUMNS,
        "copies": [_copy_row(copy) for copy in found.copies],
        "live": live,
    }


def _traffic_tiles(version: ModelRegistry) -> tuple[tuple[str, str, str, str], ...]:
    span, counted = traffic_history().recent(_NOW_SECONDS), (version.model_id, str(version.version))
    texts = COLLECTING if span is None else rate(span.version_texts_per_second(counted))
    searches = COLLECTING if span is None else rate(span.version_searches_per_second(counted))
    return (("Texts / s", texts, "", ""), ("Searches / s", searches, "", ""))


def _copy_row(copy: ReplicaProgress) -> tuple[str, ...]:
    return (
        f"shard {copy.shard} replica {copy.replica}",
        "ready" if copy.ready else copy.problem or "not ready",
        f"{copy.lag:,}",
        f"{copy.documents:,}",
        f"{copy.graph_documents:,}",
        f"{copy.heartbeat_seconds:.0f} s ago",
    )
