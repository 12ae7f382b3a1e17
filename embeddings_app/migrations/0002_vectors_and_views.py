"""What Django cannot say: the partitioned vector table, storage settings, and the views index nodes read."""

from typing import ClassVar

from django.db import migrations

VECTORS = """
CREATE TABLE embedding_vector (
    model_version_id bigint NOT NULL,
    document_id bigint NOT NULL,
    text_revision integer NOT NULL,
    vector bytea NOT NULL,
    PRIMARY KEY (model_version_id, document_id)
) PARTITION BY LIST (model_version_id);
ALTER TABLE embedding_vector ALTER COLUMN vector SET STORAGE EXTERNAL;
ALTER TABLE embedding_record SET (fillfactor = 70);
ALTER TABLE shard_counter SET (fillfactor = 50);
ALTER TABLE shard_replica SET (fillfactor = 50);
"""

VIEWS = """
CREATE VIEW index_head AS
SELECT c.layout_id, c.model_version_id, c.shard, c.head, m.dimension, e.epoch
FROM shard_counter c
JOIN model_registry m ON m.id = c.model_version_id
CROSS JOIN log_epoch e
WHERE m.status IN ('backfilling', 'shadow', 'active', 'standby');

CREATE VIEW index_feed AS
SELECT c.layout_id, c.model_version_id, c.shard, c.seq,
       d.id AS document_key, d.revision, d.namespace_id AS namespace_key, d.deleted, d.metadata,
       v.text_revision, v.vector
FROM shard_change c
JOIN document d ON d.id = c.document_id
LEFT JOIN embedding_vector v ON v.model_version_id = c.model_version_id AND v.document_id = c.document_id
WHERE c.kind = 'document';

CREATE VIEW index_row AS
SELECT l.id AS layout_id, v.model_version_id, d.shard_hash % l.shards AS shard,
       d.id AS document_key, d.revision, d.namespace_id AS namespace_key, d.metadata, v.text_revision, v.vector
FROM embedding_vector v
JOIN document d ON d.id = v.document_id AND NOT d.deleted
CROSS JOIN layout l;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("embeddings_app", "0001_initial")]
    operations: ClassVar = [
        migrations.RunSQL(VECTORS, "DROP TABLE embedding_vector"),
        migrations.RunSQL(VIEWS, "DROP VIEW index_head, index_feed, index_row"),
    ]
