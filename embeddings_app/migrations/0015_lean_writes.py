"""Hot tables lose indexes that others cover and the checks of their references; triggers keep what is referred to."""

import django.db.models.deletion
from django.db import migrations, models

KEPT = """
CREATE FUNCTION namespace_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM document WHERE namespace_id = OLD.id) THEN
        RAISE EXCEPTION 'namespace % has documents', OLD.name
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'namespace_kept';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER namespace_kept BEFORE DELETE ON namespace FOR EACH ROW EXECUTE FUNCTION namespace_kept();

CREATE FUNCTION document_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM embedding_record WHERE document_id = OLD.id) THEN
        RAISE EXCEPTION 'document % has embedding records', OLD.id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'document_kept';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER document_kept BEFORE DELETE ON document FOR EACH ROW EXECUTE FUNCTION document_kept();

CREATE FUNCTION model_registry_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass('embedding_vector_v' || OLD.id) IS NOT NULL THEN
        RAISE EXCEPTION 'version % of model % has vectors', OLD.version, OLD.model_id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'model_registry_kept';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER model_registry_kept BEFORE DELETE ON model_registry
    FOR EACH ROW EXECUTE FUNCTION model_registry_kept();
"""
NOT_KEPT = """
DROP TRIGGER namespace_kept ON namespace;
DROP TRIGGER document_kept ON document;
DROP TRIGGER model_registry_kept ON model_registry;
DROP FUNCTION namespace_kept(), document_kept(), model_registry_kept();
"""


def _reference(to: str, on_delete: object) -> models.ForeignKey:
    return models.ForeignKey(db_constraint=False, db_index=False, on_delete=on_delete, to=f"embeddings_app.{to}")


class Migration(migrations.Migration):
    dependencies = [
        ("embeddings_app", "0014_awaited_seq"),
    ]

    operations = [
        migrations.AlterField("document", "namespace", _reference("namespace", django.db.models.deletion.PROTECT)),
        migrations.AlterField("embeddingrecord", "document", _reference("document", django.db.models.deletion.CASCADE)),
        migrations.AlterField(
            "embeddingrecord", "model_version", _reference("modelregistry", django.db.models.deletion.DO_NOTHING)
        ),
        migrations.AlterField("shardchange", "layout", _reference("layout", django.db.models.deletion.DO_NOTHING)),
        migrations.AlterField(
            "shardchange", "model_version", _reference("modelregistry", django.db.models.deletion.DO_NOTHING)
        ),
        migrations.RunSQL(KEPT, NOT_KEPT),
    ]
