from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0019_vector_storage")]

    operations = [
        migrations.AddField(
            model_name="namespace",
            name="dropped_at",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="Its documents go; its name is free for another namespace.",
                null=True,
            ),
        )
    ]
