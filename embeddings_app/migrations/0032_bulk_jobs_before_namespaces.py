from django.db import migrations, models
from django.db.models.deletion import CASCADE


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0031_kept_answers")]

    operations = [
        migrations.AlterField(
            model_name="bulkjob",
            name="namespace",
            field=models.ForeignKey(blank=True, null=True, on_delete=CASCADE, to="embeddings_app.namespace"),
        ),
        migrations.AddField(
            model_name="bulkjob",
            name="new_namespace",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Its name, until files were found for it.",
                max_length=64,
            ),
        ),
        migrations.AddField(
            model_name="bulkjob",
            name="request_hash",
            field=models.BinaryField(blank=True, help_text="SHA-256 of what was asked for with the key.", null=True),
        ),
    ]
