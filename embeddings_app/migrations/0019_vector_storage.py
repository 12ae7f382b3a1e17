"""How index nodes hold the vectors of a version, and the view in which they read it."""

from typing import ClassVar

from django.db import migrations, models

VIEW = """
CREATE OR REPLACE VIEW index_head AS
SELECT c.layout_id, c.model_version_id, c.shard, c.head, m.dimension, e.epoch, m.storage
FROM shard_counter c
JOIN model_registry m ON m.id = c.model_version_id
CROSS JOIN log_epoch e
WHERE m.status IN ('backfilling', 'shadow', 'active', 'standby');
"""
VIEW_BEFORE = """
DROP VIEW index_head;
CREATE VIEW index_head AS
SELECT c.layout_id, c.model_version_id, c.shard, c.head, m.dimension, e.epoch
FROM shard_counter c
JOIN model_registry m ON m.id = c.model_version_id
CROSS JOIN log_epoch e
WHERE m.status IN ('backfilling', 'shadow', 'active', 'standby');
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("embeddings_app", "0018_bulk_jobs")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="modelregistry",
            name="storage",
            field=models.CharField(
                choices=[("fp32", "fp32"), ("fp16", "fp16"), ("sq8", "sq8")],
                db_default="fp32",
                default="fp32",
                help_text="how index nodes hold its vectors in graphs; fixed once there are vectors",
                max_length=8,
            ),
        ),
        migrations.RunSQL(VIEW, VIEW_BEFORE),
    ]
