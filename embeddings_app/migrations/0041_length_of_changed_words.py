"""Words that an older release changes get their length: it knows nothing of that column and would leave the length of
the words before. A release that writes it seldom has it counted, for words that are other but no more or fewer."""

from django.db import migrations

COUNTED = """
CREATE FUNCTION document_words_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.length := (SELECT count(*) FROM unnest(NEW.words) AS own WHERE NOT starts_with(own.lexeme, ' '));
    RETURN NEW;
END
$$;
CREATE TRIGGER document_words_counted BEFORE UPDATE ON document_words FOR EACH ROW
    WHEN (NEW.length = OLD.length AND NEW.words <> OLD.words) EXECUTE FUNCTION document_words_counted();
"""
NOT_COUNTED = """
DROP TRIGGER document_words_counted ON document_words;
DROP FUNCTION document_words_counted();
"""


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "0040_length_of_words")]

    operations = [migrations.RunSQL(COUNTED, NOT_COUNTED)]
