from django.db import migrations, models

from embedding_project.contracts.model_spec import ModelType


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0029_bulk_imports")]

    operations = [
        migrations.AlterField(
            model_name="modelregistry",
            name="type",
            field=models.CharField(choices=[(kind.value, kind.value) for kind in ModelType], max_length=16),
        )
    ]
