"""The index by which waiting records are claimed in turns, made while everything goes on."""

from django.db import migrations, models

INDEX = models.Index(
    fields=["model_version", "namespace_id", "next_attempt_at"],
    condition=models.Q(state="pending"),
    name="record_turns",
)
MAKE = [
    # It holds nobody up while it waits for transactions that were there before, so it may wait for long.
    "SET lock_timeout = 0",
    # What an interrupted try left.
    "DROP INDEX CONCURRENTLY IF EXISTS record_turns",
    """
    CREATE INDEX CONCURRENTLY record_turns ON embedding_record (model_version_id, namespace_id, next_attempt_at)
    WHERE state = 'pending'
    """,
    "RESET lock_timeout",
]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("embeddings_app", "0033_turns")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(MAKE, "DROP INDEX record_turns")],
            state_operations=[migrations.AddIndex("embeddingrecord", INDEX)],
        ),
    ]
