from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0039_bulk_registering_seconds")]

    operations = [
        migrations.AddField(
            model_name="documentwords",
            name="length",
            field=models.IntegerField(help_text="Different words; null where an older release wrote them.", null=True),
        ),
    ]
