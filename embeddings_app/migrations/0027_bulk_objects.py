from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0026_text_search")]

    operations = [
        migrations.AddField(
            model_name="bulkfile",
            name="etag",
            field=models.CharField(
                default="",
                db_default="",
                help_text="Of an object: the mark of its content at the plan.",
                max_length=256,
            ),
        )
    ]
