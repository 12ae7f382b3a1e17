"""A record that waits says for which namespace, so that namespaces take turns."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0032_bulk_jobs_before_namespaces")]

    operations = [
        migrations.AddField(
            model_name="embeddingrecord",
            name="namespace_id",
            field=models.BigIntegerField(
                db_default=0,
                help_text="Whose turn it waits for; 0 in records that never waited, or that an older release wrote.",
            ),
        ),
    ]
