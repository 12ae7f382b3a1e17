"""Bulk jobs, and views of index nodes that hide what an unfinished job has loaded.

The rule of what is hidden is that of `embeddings_app.records.bulk_blocks`.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

VIEWS = """
CREATE OR REPLACE VIEW index_feed AS
SELECT c.layout_id, c.model_version_id, c.shard, c.seq,
       d.id AS document_key, d.revision, d.namespace_id AS namespace_key, d.deleted, d.metadata,
       v.text_revision, v.vector
FROM shard_change c
JOIN document d ON d.id = c.document_id
LEFT JOIN embedding_vector v ON v.model_version_id = c.model_version_id AND v.document_id = c.document_id{hidden_feed}
WHERE c.kind = 'document';

CREATE OR REPLACE VIEW index_row AS
SELECT l.id AS layout_id, v.model_version_id, d.shard_hash % l.shards AS shard,
       d.id AS document_key, d.revision, d.namespace_id AS namespace_key, d.metadata, v.text_revision, v.vector
FROM embedding_vector v
JOIN document d ON d.id = v.document_id AND NOT d.deleted{hidden_row}
CROSS JOIN layout l;
"""
HIDDEN = """
    AND NOT (d.revision = 1 AND d.id >= 1099511627776 AND EXISTS (
        SELECT 1 FROM bulk_block b
        WHERE b.opened_to < b.last_key AND d.id > b.opened_to AND d.id <= b.last_key
          AND b.model_version_id = {version}))"""
# Below are the keys that tables give by themselves. A restore does not turn a sequence back, so no key is given twice.
KEYS = "CREATE SEQUENCE bulk_key MINVALUE 1099511627775 START 1099511627775"
HIDING_VIEWS = VIEWS.format(
    hidden_feed=HIDDEN.format(version="c.model_version_id"), hidden_row=HIDDEN.format(version="v.model_version_id")
)
SHOWING_VIEWS = VIEWS.format(hidden_feed="", hidden_row="")


class Migration(migrations.Migration):
    dependencies = [
        ("embeddings_app", "0017_namespace_sizes"),
    ]

    operations = [
        migrations.CreateModel(
            name="BulkJob",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "epoch",
                    models.UUIDField(
                        help_text="History that the job belongs to; after a restore it can only be aborted."
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("planned", "Planned"),
                            ("loading", "Loading"),
                            ("registering", "Registering"),
                            ("done", "Done"),
                            ("failed", "failed (resume or abort it)"),
                            ("aborting", "Aborting"),
                            ("aborted", "Aborted"),
                        ],
                        default="planned",
                        max_length=12,
                    ),
                ),
                (
                    "wanted",
                    models.CharField(
                        choices=[("run", "Run"), ("pause", "Pause"), ("abort", "Abort")], default="run", max_length=8
                    ),
                ),
                (
                    "options",
                    models.JSONField(
                        default=dict, help_text="Format, columns, and what to do with existing documents."
                    ),
                ),
                ("splitters", models.JSONField(default=list, help_text="The first id of each bucket but the first.")),
                ("idempotency_key", models.CharField(blank=True, max_length=128, null=True, unique=True)),
                (
                    "counts",
                    models.JSONField(blank=True, default=dict, help_text="Rows by outcome, of a job that has ended."),
                ),
                ("error", models.TextField(blank=True)),
                ("worker", models.CharField(blank=True, max_length=128)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("actor", models.CharField(max_length=150)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        help_text="Later writes of clients are newer than the files.",
                    ),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "model_version",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="embeddings_app.modelregistry"),
                ),
                (
                    "namespace",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="embeddings_app.namespace"),
                ),
            ],
            options={
                "db_table": "bulk_job",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="BulkBucket",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "job_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.IntegerField()),
                ("inserted", models.BigIntegerField(default=0)),
                ("updated", models.BigIntegerField(default=0)),
                ("unchanged", models.BigIntegerField(default=0)),
                (
                    "superseded",
                    models.BigIntegerField(
                        default=0, help_text="Documents that a client wrote after the job was made."
                    ),
                ),
                (
                    "duplicates",
                    models.BigIntegerField(default=0, help_text="Rows whose id a later row of the files has too."),
                ),
                ("seconds", models.FloatField(default=0.0)),
                ("loaded_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="buckets", to="embeddings_app.bulkjob"
                    ),
                ),
            ],
            options={
                "db_table": "bulk_bucket",
            },
        ),
        migrations.CreateModel(
            name="BulkFile",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "job_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.IntegerField()),
                ("path", models.TextField()),
                ("size", models.BigIntegerField()),
                ("modified_ns", models.BigIntegerField()),
                ("rows", models.BigIntegerField(default=0, help_text="Read from it.")),
                ("rejected", models.BigIntegerField(default=0)),
                (
                    "spread",
                    models.JSONField(help_text="Names of its bucket files, with the rows of each bucket.", null=True),
                ),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="files", to="embeddings_app.bulkjob"
                    ),
                ),
            ],
            options={
                "db_table": "bulk_file",
            },
        ),
        migrations.CreateModel(
            name="BulkTouched",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "job_id", "document_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("document_id", models.BigIntegerField()),
                ("job", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="embeddings_app.bulkjob")),
            ],
            options={
                "db_table": "bulk_touched",
            },
        ),
        migrations.CreateModel(
            name="BulkBlock",
            fields=[
                (
                    "job",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        serialize=False,
                        to="embeddings_app.bulkjob",
                    ),
                ),
                ("first_key", models.BigIntegerField()),
                ("last_key", models.BigIntegerField()),
                ("opened_to", models.BigIntegerField()),
                (
                    "model_version",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="embeddings_app.modelregistry"),
                ),
            ],
            options={
                "db_table": "bulk_block",
            },
        ),
        migrations.AddConstraint(
            model_name="bulkjob",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("planned", "loading", "registering", "failed", "aborting"))),
                fields=("namespace",),
                name="bulk_one_open_job",
            ),
        ),
        migrations.AddIndex(
            model_name="bulkblock",
            index=models.Index(
                condition=models.Q(("opened_to__lt", models.F("last_key"))),
                fields=["model_version", "last_key"],
                name="bulk_block_closed",
            ),
        ),
        migrations.RunSQL(KEYS, "DROP SEQUENCE bulk_key"),
        migrations.RunSQL(HIDING_VIEWS, SHOWING_VIEWS),
    ]
