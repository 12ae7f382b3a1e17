"""Namespaces without a column that nothing read."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0004_model_runtime_and_endpoint")]
    operations = [migrations.RemoveField(model_name="namespace", name="limits")]
