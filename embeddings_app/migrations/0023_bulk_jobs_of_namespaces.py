import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0022_model_aliases")]

    operations = [
        migrations.AlterField(
            model_name="bulkjob",
            name="namespace",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="embeddings_app.namespace"),
        )
    ]
