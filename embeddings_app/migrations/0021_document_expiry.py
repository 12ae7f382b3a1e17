from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0020_dropped_namespaces")]

    operations = [
        migrations.AddField(
            model_name="document",
            name="expires_at",
            field=models.DateTimeField(
                blank=True, help_text="From then on no answer shows it; a job deletes it.", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="document",
            index=models.Index(
                condition=models.Q(("deleted", False), ("expires_at__isnull", False)),
                fields=["expires_at"],
                name="document_expiring",
            ),
        ),
    ]
