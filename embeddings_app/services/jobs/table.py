"""The table of periodic jobs. A new job is a file beside this one and a row here."""

from collections.abc import Mapping

from embeddings_app.services.jobs.digest_audit import DIGEST_AUDIT
from embeddings_app.services.jobs.dropped_namespaces import DROPPED_NAMESPACES
from embeddings_app.services.jobs.expired_documents import EXPIRED_DOCUMENTS
from embeddings_app.services.jobs.job import Job
from embeddings_app.services.jobs.old_layouts import OLD_LAYOUTS
from embeddings_app.services.jobs.recall import RECALL
from embeddings_app.services.jobs.retention import RETENTION
from embeddings_app.services.jobs.shadow import SHADOW
from embeddings_app.services.jobs.stale_records import STALE_RECORDS
from embeddings_app.services.jobs.sweep import SWEEP
from embeddings_app.services.jobs.text_words import TEXT_WORDS
from embeddings_app.services.jobs.trim import TRIM
from embeddings_app.services.jobs.versions import VERSIONS
from embeddings_app.services.jobs.warm_versions import WARM_VERSIONS

_ALL = (
    *(
        SWEEP,
        VERSIONS,
        SHADOW,
        TRIM,
        DROPPED_NAMESPACES,
        EXPIRED_DOCUMENTS,
        TEXT_WORDS,
        OLD_LAYOUTS,
        RECALL,
        RETENTION,
        STALE_RECORDS,
        DIGEST_AUDIT,
        WARM_VERSIONS,
    ),
)
JOBS: Mapping[str, Job] = {job.name: job for job in _ALL}
"""By name, in the order in which people see them."""
