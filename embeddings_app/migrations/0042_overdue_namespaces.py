"""Whether a build is due is known by namespace, and so by nodes alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0041_length_of_changed_words")]

    operations = [
        migrations.AddField(
            model_name="shardreplica",
            name="overdue_namespaces",
            field=models.IntegerField(
                blank=True,
                help_text="Namespaces that have more documents in no graph than builds wait for; an older node does not "
                "say.",
                null=True,
            ),
        ),
    ]
