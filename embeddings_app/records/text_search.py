"""Reads of text search: what the language makes of a query, how many documents have a word, and the best of them.

The rank is BM25. Postgres keeps the places of each word in a text, but counts words only inside of `ts_rank`: of one
word with equal weights it is the sum of 1/j^2 for j up to the count, over its limit. `_COUNT` turns that back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from embedding_project.contracts.metadata import stored_metadata
from embeddings_app.records.bulk_blocks import hidden
from embeddings_app.records.filter_sql import Narrowing
from embeddings_app.records.reading import LASTS
from embeddings_app.records.sql import prepared_rows, row, rows
from embeddings_app.records.words import mark, plain

_SATURATION, _LENGTH_SHARE = 1.2, 0.75
"""k1 and b of BM25, with the values that everybody uses."""
_COUNT = 0.645
"""A word that stands n times has a `ts_rank` of about n / (n + 0.645)."""


@dataclass(frozen=True, slots=True)
class Analysed:
    """What a language makes of the parts of a query; words that it leaves out are nowhere."""

    words: tuple[str, ...]
    phrases: tuple[str, ...]
    """Each as a query of Postgres, empty when nothing is left of it."""
    prefixes: tuple[str, ...]
    """Likewise."""
    bound: tuple[str, ...]
    """Words of what must stand in a text as it is."""
    without: tuple[str, ...]


def analysed(
    language: str, words: str, phrases: Sequence[str], prefixes: Sequence[str], exact: Sequence[str], without: str
) -> Analysed:
    """No text makes it fail."""
    config = f"pg_catalog.{language}"
    (found,) = prepared_rows(
        """
        SELECT tsvector_to_array(to_tsvector(%(config)s::regconfig, %(words)s::text)),
               ARRAY(SELECT phraseto_tsquery(%(config)s::regconfig, p)::text
                     FROM unnest(%(phrases)s::text[]) WITH ORDINALITY AS u(p, n) ORDER BY n),
               ARRAY(SELECT to_tsquery(%(config)s::regconfig, p)::text
                     FROM unnest(%(prefixes)s::text[]) WITH ORDINALITY AS u(p, n) ORDER BY n),
               tsvector_to_array(to_tsvector(%(config)s::regconfig, %(bound)s::text)),
               tsvector_to_array(to_tsvector(%(config)s::regconfig, %(without)s::text))
        """,
        {
            "config": config,
            "words": plain(words),
            "phrases": [plain(phrase) for phrase in phrases],
            "prefixes": [f"{quoted(plain(prefix))}:*" for prefix in prefixes],
            "bound": plain("\n".join((*phrases, *exact))),
            "without": plain(without),
        },
    )
    return Analysed(*(tuple(part) for part in found))


def analysed_words(language: str, words: Sequence[str]) -> list[tuple[str, ...]]:
    """What a language makes of each word; of some it makes several, and of others none."""
    found = prepared_rows(
        """
        SELECT tsvector_to_array(to_tsvector(%(config)s::regconfig, w))
        FROM unnest(%(words)s::text[]) WITH ORDINALITY AS u(w, n) ORDER BY n
        """,
        {"config": f"pg_catalog.{language}", "words": list(words)},
    )
    return [tuple(made) for (made,) in found]


def quoted(word: str) -> str:
    """A word as it stands in a query of Postgres."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


def count_with(namespace_key: int, queries: Sequence[str], cap: int, *, of_most: bool) -> list[int]:
    """Documents that each query finds, at most `cap`. `of_most`: as in a `TextLook`."""
    if not queries:
        return []
    own = f" AND namespace_id = {namespace_key:d}" if of_most else ""
    found_by = f"SELECT FROM document_words WHERE words @@ %s::tsquery{own} LIMIT (SELECT %s)"
    found = row(
        f"SELECT {', '.join([f'(SELECT count(*) FROM ({found_by}) AS found)'] * len(queries))}",
        [value for query in queries for value in (query if of_most else _in(namespace_key, query), cap)],
    )
    return [int(count) for count in found]


def _in(namespace_key: int, query: str) -> str:
    return f"{quoted(mark(namespace_key))} & ({query})" if query else quoted(mark(namespace_key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A word, or the beginning of words, whose count in a text adds to its score."""

    query: str
    weight: float
    """Its inverse document frequency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLook:
    """What to look for."""

    namespace_key: int
    version_key: int
    of_most: bool
    """Whether most documents with words are of the namespace: then its mark is no help to find others."""
    queries: tuple[str, ...]
    """Documents that any of them finds are ranked, those of the first one first."""
    spare: tuple[str, ...]
    """Likewise, each where those before it find fewer than `enough`."""
    enough: int
    terms: tuple[Term, ...]
    mean_length: float
    exact: tuple[str, ...]
    """What must stand in the text, but for capitals."""
    narrowing: Narrowing
    most_ranked: int
    fetch: int
    with_metadata: bool
    with_text: bool
    with_vector: bool


@dataclass(frozen=True, slots=True)
class FoundText:
    key: int
    doc_id: str
    score: float
    metadata: dict[str, Any] | None
    text: str | None
    vector: bytes | None


@dataclass(frozen=True, slots=True)
class Looked:
    found: list[FoundText]
    """Best first; of equal scores, the document that was written first. They live, pass the filter as far as Postgres
    can tell, and have what must stand there."""
    ranked: int


def best_documents(look: TextLook) -> Looked:
    """In one statement, so that what is shown of a document is what was found.

    The words alone rank what the queries find, where the index leads to them. Then documents are read in the order of
    their scores, until enough of them pass: most searches read few, whatever they rank.
    """
    found_by, given = _found_by(look)
    every = " UNION ALL ".join(f"SELECT * FROM found_{place}" for place in range(len(found_by)))
    scores = " + ".join(_SCORE.format(place=place) for place in range(len(look.terms))) or "0::float8"
    passes, parameters = _passes(look)
    statement = f"""
        WITH {", ".join(found_by)},
        ranked AS MATERIALIZED (SELECT id, {scores} AS score FROM ({every}) AS every_one)
        SELECT 0::bigint, NULL, (SELECT count(*) FROM ranked)::float8, NULL, NULL, NULL::bytea
        UNION ALL (
            SELECT d.id, d.doc_id, best.score, {"d.metadata::text" if look.with_metadata else "NULL"},
                   {"d.text" if look.with_text else "NULL"}, {"v.vector" if look.with_vector else "NULL::bytea"}
            FROM (SELECT * FROM ranked ORDER BY score DESC, id) AS best,
                 LATERAL (SELECT * FROM document d WHERE d.id = best.id AND {passes} LIMIT 1) AS d
                 {_VECTOR if look.with_vector else ""}
            ORDER BY best.score DESC, best.id LIMIT %(fetch)s
        )
    """
    if look.exact or look.narrowing.parameters:
        # Every filter is a text of its own.
        found = rows(statement, given | parameters)
    else:
        # psycopg takes apart each time what is longer than 4,096 characters.
        found = prepared_rows(" ".join(statement.split()), given | parameters)
    (_, _, ranked, _, _, _), *documents = found
    return Looked(
        [
            FoundText(key, doc_id, score, _read(metadata), text, None if vector is None else bytes(vector))
            for key, doc_id, score, metadata, text, vector in documents
        ],
        int(ranked),
    )


def _found_by(look: TextLook) -> tuple[list[str], dict[str, Any]]:
    """SQL for each query: the documents it finds beyond those before it, with what their scores are made of."""
    ranks = "".join(_RANK.format(place=place) for place in range(len(look.terms)))
    given: dict[str, Any] = {
        "most": look.most_ranked,
        "enough": look.enough,
        "space": look.namespace_key,
        "mean": look.mean_length,
    }
    given |= {"k": _SATURATION, "b": _LENGTH_SHARE}
    for place, term in enumerate(look.terms):
        given |= {f"t{place}": term.query, f"w{place}": term.weight * (_SATURATION + 1)}
    parts = list[str]()
    for place, query in enumerate((*look.queries, *look.spare)):
        alone = bool(query) and look.of_most
        given[f"q{place}"] = query if alone else _in(look.namespace_key, query)
        others = "".join(f" AND NOT words @@ %(q{before})s::tsquery" for before in range(place))
        so_far = "".join(f" + (SELECT count(*) FROM found_{before})" for before in range(place))
        left = f"(SELECT %(most)s - (0{so_far}))"
        if place >= len(look.queries):
            left = f"(SELECT CASE WHEN 0{so_far} < %(enough)s THEN %(most)s - (0{so_far}) ELSE 0 END)"
        parts.append(
            f"""
            found_{place} AS MATERIALIZED (
                SELECT id, %(k)s * (1 - %(b)s + %(b)s * length / %(mean)s::float8) AS room{ranks}
                FROM (
                    SELECT document_id AS id, {_READ_ONCE} AS words, coalesce(length, length(words)) AS length
                    FROM document_words
                    WHERE words @@ %(q{place})s::tsquery{others}{" AND namespace_id = %(space)s" if alone else ""}
                    LIMIT {left} OFFSET 0
                ) AS whole
            )"""
        )
    return parts, given


def _passes(look: TextLook) -> tuple[str, dict[str, Any]]:
    """SQL: whether the document `d` is shown."""
    given: dict[str, Any] = {"fetch": look.fetch, "version": look.version_key}
    given |= {f"e{place}": _as_it_stands(text) for place, text in enumerate(look.exact)}
    exact = "".join(f" AND d.text ~* %(e{place})s" for place in range(len(look.exact)))
    narrowed = look.narrowing.sql
    for place, value in enumerate(look.narrowing.parameters):
        narrowed = narrowed.replace("%s", f"%(f{place})s", 1)
        given[f"f{place}"] = value
    living = f"d.namespace_id = %(space)s AND NOT d.deleted AND {LASTS} AND NOT {hidden('d', '%(version)s')}"
    return f"{living}{exact} AND {narrowed}", given


def _as_it_stands(text: str) -> str:
    """A regular expression of Postgres for the text, not as a part of a longer word."""
    literal = "".join(char if char.isalnum() or ord(char) > 127 else f"\\{char}" for char in text)
    before, after = (
        ("(?<![[:alnum:]_])" if text[0].isalnum() else ""),
        ("(?![[:alnum:]_])" if text[-1].isalnum() else ""),
    )
    return f"{before}{literal}{after}"


_READ_ONCE = "CASE WHEN pg_column_compression(words) IS NULL THEN words ELSE words || ''::tsvector END"
"""Of a long text they are compressed; each function that reads them would unpack them."""
_RANK = ", least(ts_rank('{{1,1,1,1}}', words, %(t{place})s::tsquery)::float8, 0.999) AS r{place}"
_SCORE = f"%(w{{place}})s * {_COUNT} * r{{place}} / ({_COUNT} * r{{place}} + room * (1 - r{{place}}))"
_VECTOR = "LEFT JOIN embedding_vector v ON v.document_id = d.id AND v.model_version_id = %(version)s"


def _read(metadata: str | None) -> dict[str, Any] | None:
    return None if metadata is None else stored_metadata(metadata)
