"""The states of a model version, the steps between them kept by a trigger, and the runs that fill a new version."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

PROBED = (
    "UPDATE model_registry SET status = 'probed' WHERE status = 'draft' AND probed_at IS NOT NULL AND probe_error = ''"
)
STEPS = """
CREATE FUNCTION model_registry_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
        ('draft', 'probed'), ('draft', 'retired'),
        ('probed', 'draft'), ('probed', 'backfilling'), ('probed', 'active'), ('probed', 'retired'),
        ('backfilling', 'shadow'), ('backfilling', 'probed'),
        ('shadow', 'active'), ('shadow', 'retiring'),
        ('active', 'standby'),
        ('standby', 'active'), ('standby', 'retiring'),
        ('retiring', 'retired')
    ) THEN
        RAISE EXCEPTION 'a model version cannot go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'model_version_step';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER model_version_step BEFORE UPDATE OF status ON model_registry
    FOR EACH ROW EXECUTE FUNCTION model_registry_step();
"""
NO_STEPS = "DROP TRIGGER model_version_step ON model_registry; DROP FUNCTION model_registry_step()"


class Migration(migrations.Migration):
    dependencies = [
        ("embeddings_app", "0005_namespace_fields"),
    ]

    operations = [
        migrations.AlterField(
            model_name="modelregistry",
            name="status",
            field=models.CharField(
                choices=[
                    ("draft", "Draft"),
                    ("probed", "Probed"),
                    ("backfilling", "Backfilling"),
                    ("shadow", "shadow (complete, does not answer)"),
                    ("active", "Active"),
                    ("standby", "standby (kept for rollback)"),
                    ("retiring", "Retiring"),
                    ("retired", "Retired"),
                ],
                default="draft",
                max_length=16,
            ),
        ),
        migrations.CreateModel(
            name="ReembedRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("model_id", models.CharField(max_length=128)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("running", "Running"),
                            ("paused", "Paused"),
                            ("finished", "Finished"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="running",
                        max_length=12,
                    ),
                ),
                (
                    "wave",
                    models.PositiveIntegerField(default=0, help_text="The newest wave of chunks; 0 before the first."),
                ),
                (
                    "reached_key",
                    models.BigIntegerField(
                        default=0, help_text="The chunks made so far cover documents up to this key."
                    ),
                ),
                (
                    "last_key",
                    models.BigIntegerField(help_text="Later documents are written to the version by their upserts."),
                ),
                (
                    "documents_total",
                    models.BigIntegerField(default=0, help_text="Documents at the start, as far as they were counted."),
                ),
                (
                    "documents_per_second",
                    models.FloatField(blank=True, help_text="Limit of the rate; empty means none.", null=True),
                ),
                ("estimate", models.JSONField(blank=True, default=dict)),
                ("started_by", models.CharField(max_length=150)),
                ("started_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "progressed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        help_text="When a chunk last reported anything.",
                    ),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "problem",
                    models.CharField(
                        blank=True, help_text="What held up the run at its last try, as a code.", max_length=64
                    ),
                ),
                (
                    "model_version",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="embeddings_app.modelregistry"),
                ),
            ],
            options={
                "db_table": "reembed_run",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="ReembedChunk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("wave", models.PositiveIntegerField()),
                ("first_key", models.BigIntegerField()),
                ("last_key", models.BigIntegerField()),
                ("embedded", models.IntegerField(default=0)),
                ("cached", models.IntegerField(default=0, help_text="Of these, vectors that came from the cache.")),
                (
                    "refused",
                    models.IntegerField(
                        default=0, help_text="Texts that failed by themselves; the indexers try them again."
                    ),
                ),
                (
                    "not_kept",
                    models.IntegerField(
                        default=0, help_text="Documents whose text is not stored: clients must send them."
                    ),
                ),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="chunks",
                        to="embeddings_app.reembedrun",
                    ),
                ),
            ],
            options={
                "db_table": "reembed_chunk",
                "ordering": ["id"],
            },
        ),
        migrations.AddConstraint(
            model_name="reembedrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("running", "paused"))),
                fields=("model_id",),
                name="reembed_one_open_run",
            ),
        ),
        migrations.AddConstraint(
            model_name="reembedrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("documents_per_second__isnull", True), ("documents_per_second__gt", 0), _connector="OR"
                ),
                name="reembed_rate_positive",
            ),
        ),
        migrations.AddIndex(
            model_name="reembedchunk",
            index=models.Index(fields=["run", "wave"], name="reembed_chunk_wave"),
        ),
        migrations.RunSQL(PROBED, migrations.RunSQL.noop),
        migrations.RunSQL(STEPS, NO_STEPS),
    ]
