"""The rejected rows of a job, as far as this machine can read them; never their texts."""

import json
from collections.abc import Iterator
from typing import Any

from embedding_project.config import load_config
from embeddings_app.models import BulkJob

REJECT_COLUMNS = ("file", "row", "doc_id", "field", "code")


def rejected_rows(job: BulkJob) -> Iterator[dict[str, Any]]:
    """All of them where the files of the job are on this machine, else the sample that the job keeps."""
    paths = sorted((load_config().var_dir / "bulk" / str(job.pk) / "rejects").glob("*.jsonl"))
    if not paths:
        yield from job.rejects_sample
    for path in paths:
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)
