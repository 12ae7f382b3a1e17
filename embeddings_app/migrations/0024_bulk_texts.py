from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0023_bulk_jobs_of_namespaces")]

    operations = [
        migrations.AddField(
            model_name="bulkbucket",
            name="rejected",
            field=models.BigIntegerField(
                default=0, db_default=0, help_text="Rows whose text the model could not embed."
            ),
        )
    ]
