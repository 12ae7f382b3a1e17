from django.db import migrations, models

STATES = [
    ("queued", "queued (nobody has looked at its files yet)"),
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
OPEN = ("queued", "planned", "loading", "building", "preparing", "registering", "failed", "aborting")


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0028_layouts_side_by_side")]

    operations = [
        migrations.AlterField(
            model_name="bulkjob",
            name="state",
            field=models.CharField(choices=STATES, default="planned", max_length=12),
        ),
        migrations.AddField(
            model_name="bulkjob",
            name="by_role",
            field=models.BooleanField(
                db_default=False, default=False, help_text="Whether the role bulk works on it, and no command."
            ),
        ),
        migrations.AddField(
            model_name="bulkjob",
            name="plan",
            field=models.JSONField(
                blank=True,
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                help_text="Rows, bytes and seconds that were expected.",
            ),
        ),
        migrations.AddField(
            model_name="bulkjob",
            name="rejects_sample",
            field=models.JSONField(
                blank=True,
                db_default=models.Value([], models.JSONField()),
                default=list,
                help_text="Some rejected rows, without their texts.",
            ),
        ),
        migrations.RemoveConstraint(model_name="bulkjob", name="bulk_one_open_job"),
        migrations.AddConstraint(
            model_name="bulkjob",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", OPEN)), fields=("namespace",), name="bulk_one_open_job"
            ),
        ),
    ]
