import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.db import migrations, models

from embedding_project.contracts.languages import TEXT_SEARCH


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0025_bulk_bundles")]

    operations = [
        migrations.AddField(
            model_name="namespace",
            name="text_search",
            field=models.CharField(
                choices=[(name, name) for name in TEXT_SEARCH],
                # Also by the database: statements that make namespaces need not name it.
                db_default="off",
                default="off",
                editable=False,
                help_text="Language of the words that text search finds.",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="namespace",
            name="words_reached",
            field=models.TextField(
                blank=True,
                db_collation="C",
                editable=False,
                help_text="Id up to which the words are as text_search says; null when all are.",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="DocumentWords",
            fields=[
                ("document_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("namespace_id", models.BigIntegerField()),
                ("words", django.contrib.postgres.search.SearchVectorField()),
            ],
            options={
                "verbose_name_plural": "document words",
                "db_table": "document_words",
                "indexes": [
                    models.Index(fields=["namespace_id", "document_id"], name="document_words_namespace"),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["words"], gin_pending_list_limit=512, name="document_words_found"
                    ),
                ],
            },
        ),
    ]
