from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0036_memory_of_nodes")]

    operations = [
        migrations.AddField(
            model_name="bulkjob",
            name="under_way",
            field=models.BigIntegerField(
                db_default=0, default=0, help_text="Rows that are spread or loaded, by tasks that have not ended yet."
            ),
        ),
        migrations.AddField(
            model_name="bulkjob",
            name="under_way_rate",
            field=models.FloatField(db_default=0.0, default=0.0, help_text="Rows a second of these tasks."),
        ),
    ]
