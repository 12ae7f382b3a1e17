"""The words of texts, for text search: written in the transaction that writes the documents.

Each vector of words has words more that no text has. The mark of its namespace lets the index that finds words find
those of one namespace, and read little of others. And a word that is strong in a text, because it stands there often
or among few others, is there once more for each level of its strength: so the index also finds the documents that are
the best for a word which too many have.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from embedding_project.contracts.languages import OFF
from embeddings_app.models import Namespace
from embeddings_app.records.sql import execute, row, rows

SIGNS = (
    r"[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7"
    r"\u037e\u0387\u055a-\u055f\u0589\u05be\u060c\u061b\u061f\u06d4\u0964\u0965"
    r"\u2000-\u206f\u2190-\u22ff\u2500-\u25ff\u3000-\u3004\u3008-\u3020\ufdd0-\ufdef\ufeff"
    r"\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]"
)
"""What stands between words, for Postgres and for Python. The parser of Postgres would take markup for no text, and
addresses, names of files and numbers with a sign for one word each; and how it takes signs beyond ASCII depends on the
locale of the database: in ours quotation marks and dashes would be letters."""

STRONG_TIMES = (24, 16, 11, 7)
"""Of each level, from the first: a word that stands n times among m different ones is strong when n times as much is
at least m + 20. Of the words of package descriptions (m is 44 at the mean) 9 % are, and 2.4, 0.4 and 0.03 % more so."""
MOST_BYTES = 1_000_000
"""Of texts whose words one statement makes, and the last text beyond it. Of 500 of the longest texts it took eight
seconds on a busy machine, when Postgres ends it."""
_AMONG = 20
_LONGEST_STRONG = 200
"""Bytes: the words of an index have a limit, and what is longer stands in few texts."""
_WORDS = f"""to_tsvector(('pg_catalog.' || n.text_search)::regconfig, regexp_replace(d.text, '{SIGNS}', ' ', 'g'))"""
_LEVELS = ", ".join(f"({level}, {times})" for level, times in enumerate(STRONG_TIMES, 1))
_MARKS = f"""ARRAY(
        SELECT ' ' || repeat('+', l.level) || u.lexeme FROM unnest(own.words) AS u
        JOIN (VALUES {_LEVELS}) AS l(level, times) ON cardinality(u.positions) * l.times >= length(own.words) + {_AMONG}
        WHERE octet_length(u.lexeme) <= {_LONGEST_STRONG}) || (' ' || n.id)"""


def plain(text: str) -> str:
    """The words of a text where they are, with nothing but spaces between them."""
    return re.sub(SIGNS, " ", text)


def mark(namespace_key: int) -> str:
    """The word of a namespace. The parser of texts gives no word that begins with a space."""
    return f" {namespace_key}"


def strong(word: str, level: int) -> str:
    """The word for those texts where `word` has this level of strength, from 1, or a higher one."""
    return f" {'+' * level}{word}"


def level_of(word: str) -> int:
    """The level of strength that a word stands for; 0 for a word of a text."""
    return len(word) - len(word[1:].lstrip("+")) - 1 if word.startswith(" +") else 0


def write_words(namespace_key: int, document_keys: Sequence[int]) -> int:
    """The words of documents as they are in the caller's transaction, which holds their rows; how many documents have
    some now. None where the namespace has no text search."""
    return execute(
        f"""
        INSERT INTO document_words (document_id, namespace_id, words, length)
        SELECT d.id, n.id, own.words || array_to_tsvector({_MARKS}), length(own.words)
        FROM namespace n JOIN document d ON d.id = ANY(%s), LATERAL (SELECT {_WORDS} AS words OFFSET 0) AS own
        WHERE n.id = %s AND n.text_search <> %s
        ON CONFLICT (document_id) DO UPDATE SET words = EXCLUDED.words, length = EXCLUDED.length
        """,
        [list(document_keys), namespace_key, OFF],
    )


def delete_words(document_keys: Sequence[int]) -> None:
    """Of documents that go, in their transaction."""
    execute("DELETE FROM document_words WHERE document_id = ANY(%s)", [list(document_keys)])


def set_language(space: Namespace, language: str) -> None:
    """From now on writers write such words. What is there is made so by `fill` or `empty`."""
    execute("UPDATE namespace SET text_search = %s, words_reached = '' WHERE id = %s", [language, space.pk])


def unfinished() -> list[Namespace]:
    """Namespaces some of whose words are not as their setting says. Those that are dropped lose theirs by deletes."""
    return list(Namespace.objects.filter(words_reached__isnull=False, dropped_at__isnull=True).order_by("pk"))


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction has done of a namespace."""

    documents: int
    """Whose words are as the setting says now."""
    is_last: bool


def fill(space: Namespace, limit: int, most_bytes: int) -> Step:
    """Words of the next documents in the order of their ids, in the caller's transaction, which holds the lock of the
    model: of so many texts, and of fewer when these are longer together."""
    found = rows(
        """
        SELECT doc_id, id, octet_length(text) FROM document WHERE namespace_id = %s AND doc_id > %s AND NOT deleted
        ORDER BY doc_id LIMIT %s FOR SHARE
        """,
        [space.pk, space.words_reached, limit],
    )
    before = accumulate((size for _, _, size in found), initial=0)
    taken = [(doc_id, key) for (doc_id, key, _), earlier in zip(found, before, strict=False) if earlier < most_bytes]
    is_last = len(taken) == len(found) < limit
    write_words(space.pk, [key for _, key in taken])
    _reached(space, None if is_last else taken[-1][0])
    return Step(len(taken), is_last)


def empty(space: Namespace, limit: int) -> Step:
    """Delete some of the words of a namespace whose text search is off, in the caller's transaction."""
    deleted = execute(
        """
        DELETE FROM document_words WHERE document_id IN (
            SELECT document_id FROM document_words WHERE namespace_id = %s ORDER BY document_id LIMIT %s)
        """,
        [space.pk, limit],
    )
    if deleted < limit:
        _reached(space, None)
    return Step(deleted, deleted < limit)


def _reached(space: Namespace, doc_id: str | None) -> None:
    execute("UPDATE namespace SET words_reached = %s WHERE id = %s", [doc_id, space.pk])


def count_documents(namespace_key: int, cap: int) -> int:
    """Documents with words in the namespace; at most `cap`."""
    query = "SELECT count(*) FROM (SELECT FROM document_words WHERE namespace_id = %s LIMIT %s) AS found"
    (found,) = row(query, [namespace_key, cap])
    return int(found)
