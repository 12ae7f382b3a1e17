from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0038_scope_operate")]

    operations = [
        migrations.AddField(
            model_name="bulkjob",
            name="registering_seconds",
            field=models.FloatField(
                null=True,
                blank=True,
                help_text="The longest transaction that made documents visible, as its leader saw it.",
            ),
        ),
        migrations.AddField(
            model_name="bulkjob",
            name="following_seconds",
            field=models.FloatField(
                null=True,
                blank=True,
                help_text="From the transaction that made all visible at once until replicas had taken them over.",
            ),
        ),
    ]
