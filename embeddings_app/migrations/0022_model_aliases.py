import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0021_document_expiry")]

    operations = [
        migrations.CreateModel(
            name="ModelAlias",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="What clients may send in place of the model's own name.",
                        max_length=128,
                        unique=True,
                        validators=[django.core.validators.RegexValidator("^[A-Za-z0-9][A-Za-z0-9._/-]*\\Z")],
                    ),
                ),
                ("model_id", models.CharField(help_text="A model of the registry.", max_length=128)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={"verbose_name_plural": "model aliases", "db_table": "model_alias", "ordering": ["name"]},
        )
    ]
