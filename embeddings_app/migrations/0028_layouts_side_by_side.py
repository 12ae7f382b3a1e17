"""A layout may be on standby after a switch, and paused while nodes fill it."""

from typing import ClassVar

from django.db import migrations, models

STATUSES: list[tuple[str, str]] = [
    ("building", "Building"),
    ("active", "Active"),
    ("standby", "standby (was active, and can be again)"),
    ("retired", "Retired"),
]


class Migration(migrations.Migration):
    dependencies: ClassVar = [("embeddings_app", "0027_bulk_objects")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="layout",
            name="kept_until",
            field=models.DateTimeField(blank=True, help_text="On standby: when it goes by itself.", null=True),
        ),
        migrations.AddField(
            model_name="layout",
            name="paused",
            field=models.BooleanField(db_default=False, help_text="Whether nodes leave unfinished loads of it alone."),
        ),
        migrations.AlterField(
            model_name="layout",
            name="status",
            field=models.CharField(choices=STATUSES, default="active", max_length=12),
        ),
        migrations.AddConstraint(
            model_name="layout",
            constraint=models.CheckConstraint(
                condition=models.Q(("shards__gte", 1), ("replicas__gte", 1)), name="layout_not_empty"
            ),
        ),
    ]
