"""Bundles of bulk jobs: documents with their graph, built as files, and what replicas have prepared of them."""

import django.db.models.deletion
from django.db import migrations, models

# A bundle of before a restore is not to be taken over.
VIEW = """
CREATE VIEW index_bundle AS
SELECT b.layout_id, j.model_version_id, b.shard, b.job_id, b.part, j.namespace_id AS namespace_key,
       j.state = 'preparing' AS announced, b.path, b.sha256, b.first_key, b.last_key
FROM bulk_bundle b
JOIN bulk_job j ON j.id = b.job_id
JOIN log_epoch e ON e.epoch = j.epoch;
"""
STATES = [
    ("planned", "Planned"),
    ("loading", "Loading"),
    ("building", "Building"),
    ("preparing", "Preparing"),
    ("registering", "Registering"),
    ("done", "Done"),
    ("failed", "failed (resume or abort it)"),
    ("aborting", "Aborting"),
    ("aborted", "Aborted"),
]
OPEN = ("planned", "loading", "building", "preparing", "registering", "failed", "aborting")


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0024_bulk_texts")]

    operations = [
        migrations.AlterField(
            model_name="bulkjob",
            name="state",
            field=models.CharField(choices=STATES, default="planned", max_length=12),
        ),
        migrations.RemoveConstraint(model_name="bulkjob", name="bulk_one_open_job"),
        migrations.AddConstraint(
            model_name="bulkjob",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", OPEN)), fields=("namespace",), name="bulk_one_open_job"
            ),
        ),
        migrations.AddField(
            model_name="shardreplica",
            name="prepared",
            field=models.JSONField(
                blank=True,
                help_text="Bundles that it gets ready, by bulk job; none of a node that cannot take bundles over.",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="BulkBundle",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "job_id", "shard", "part", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shard", models.PositiveSmallIntegerField()),
                ("part", models.IntegerField()),
                ("path", models.TextField()),
                (
                    "sha256",
                    models.CharField(help_text="Of its manifest, which has those of its files.", max_length=64),
                ),
                ("rows", models.BigIntegerField()),
                ("size", models.BigIntegerField(help_text="Bytes of its files.")),
                ("digest", models.BigIntegerField()),
                ("first_key", models.BigIntegerField()),
                ("last_key", models.BigIntegerField()),
                (
                    "seq",
                    models.BigIntegerField(
                        help_text="The entry of the log that stands for it, once there is one.", null=True
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="bundles", to="embeddings_app.bulkjob"
                    ),
                ),
                (
                    "layout",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="embeddings_app.layout"),
                ),
            ],
            options={"db_table": "bulk_bundle"},
        ),
        migrations.RunSQL(VIEW, "DROP VIEW index_bundle"),
    ]
