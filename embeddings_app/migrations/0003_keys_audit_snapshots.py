"""API keys with limits, the audit log, and what a replica says about loading, segments and snapshots."""

import django.contrib.postgres.fields
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("embeddings_app", "0002_vectors_and_views"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "actor",
                    models.CharField(help_text="admin:<user>, key:<prefix>, or command:<system user>", max_length=150),
                ),
                (
                    "action",
                    models.CharField(help_text="Such as key.created, model.activated, backup.restored.", max_length=64),
                ),
                ("subject", models.CharField(blank=True, max_length=255)),
                ("detail", models.JSONField(blank=True, default=dict)),
            ],
            options={
                "db_table": "audit_event",
                "ordering": ["-id"],
            },
        ),
        migrations.AddField(
            model_name="apikey",
            name="created_by",
            field=models.CharField(blank=True, max_length=150),
        ),
        migrations.AddField(
            model_name="apikey",
            name="inputs_per_second",
            field=models.FloatField(
                blank=True, help_text="Texts, documents and queries. Empty means no limit.", null=True
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="requests_per_second",
            field=models.FloatField(blank=True, help_text="Empty means no limit.", null=True),
        ),
        migrations.AddField(
            model_name="shardreplica",
            name="loading_total",
            field=models.BigIntegerField(db_default=0, help_text="Documents to load while loading; 0 when unknown."),
        ),
        migrations.AddField(
            model_name="shardreplica",
            name="segments",
            field=models.JSONField(
                blank=True,
                db_default=models.Value({}, models.JSONField()),
                help_text="Segments of each kind: flat, graph.",
            ),
        ),
        migrations.AddField(
            model_name="shardreplica",
            name="snapshot_at",
            field=models.DateTimeField(blank=True, help_text="When the newest snapshot was verified.", null=True),
        ),
        migrations.AddField(
            model_name="shardreplica",
            name="snapshot_seq",
            field=models.BigIntegerField(
                db_default=0,
                help_text="Sequence number of the oldest snapshot kept; 0 without one. The log is kept from there.",
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[("embed", "Embed"), ("search", "Search"), ("write", "Write"), ("admin", "Admin")],
                    max_length=16,
                ),
                default=list,
                size=None,
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("requests_per_second__isnull", True), ("requests_per_second__gt", 0), _connector="OR"
                ),
                name="api_key_request_rate_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(("inputs_per_second__isnull", True), ("inputs_per_second__gt", 0), _connector="OR"),
                name="api_key_input_rate_positive",
            ),
        ),
    ]
