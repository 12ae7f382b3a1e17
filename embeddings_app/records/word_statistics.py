"""How frequent words are in a namespace, from a sample of its documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from embeddings_app.records.sql import row, rows
from embeddings_app.records.words import STRONG_TIMES, count_documents, level_of, mark

SAMPLE_DOCUMENTS = 2_000
SMALL_SAMPLE_DOCUMENTS = 200
COUNT_CAP = 1_000_000
_SMALL_COUNT_CAP = 10_000
_SIDE_BY_SIDE = 5
"""Documents that a small sample takes at each of its places."""
_MOST = 0.5
_LEAST_SEEN = 4
"""A word of fewer documents of a sample says too little of how many have it."""


@dataclass(frozen=True, slots=True)
class WordStatistics:
    """Of a namespace, from a sample of its documents."""

    documents: int
    mean_length: float
    """Different words of a document."""
    shares: Mapping[str, float]
    """Word -> share of the documents that have it, of words that some documents of the sample have."""
    levels: tuple[float, ...] = (0.0,) * len(STRONG_TIMES)
    """Of documents where a word has a level of strength, the share where it has the next one; from all of its documents
    on."""
    of_most: bool = False
    """Whether most documents with words, of all namespaces, are of this one."""


NO_STATISTICS = WordStatistics(COUNT_CAP, 50.0, {})
"""Nothing is known: every word of a query is counted, and is taken for one of many documents of a usual length."""


def word_statistics(namespace_key: int, cap: int = COUNT_CAP) -> WordStatistics:
    """Reads the keys of all documents, at most `cap`, and the words of 2,000: of a large namespace some megabytes of an
    index, and up to 2,000 pages anywhere in the table."""
    documents = count_documents(namespace_key, cap)
    if documents >= cap:
        return _of_sample(namespace_key, _estimated(namespace_key, cap), _spread(namespace_key, SAMPLE_DOCUMENTS))
    every = -(-documents // SAMPLE_DOCUMENTS) or 1
    # In two steps: where the words are asked for as well, Postgres reads the whole table to tell which rows are drawn.
    sample = f"""
        SELECT w.words FROM unnest(ARRAY(
            SELECT document_id FROM document_words
            WHERE namespace_id = {namespace_key:d} AND hashint8(document_id) % {every:d} = 0
            LIMIT {2 * SAMPLE_DOCUMENTS:d}
        )) AS drawn(document_id) JOIN document_words w USING (document_id)
    """
    return _of_sample(namespace_key, documents, sample)


def small_statistics(namespace_key: int) -> WordStatistics:
    """Reads the words of 200 documents, and few keys, however many there are."""
    documents = _estimated(namespace_key, count_documents(namespace_key, _SMALL_COUNT_CAP))
    return _of_sample(namespace_key, documents, _spread(namespace_key, SMALL_SAMPLE_DOCUMENTS))


def _spread(namespace_key: int, documents: int) -> str:
    """SQL for the words of so many documents, a few side by side at each of some places between the first and the last.
    Where documents that were written one after the other are alike, it says less than a draw of as many."""
    places = documents // _SIDE_BY_SIDE
    own = f"SELECT * FROM document_words WHERE namespace_id = {namespace_key:d}"
    return f"""
        WITH ends AS MATERIALIZED (
            SELECT (SELECT document_id FROM ({own}) AS a ORDER BY document_id LIMIT 1) AS first,
                   (SELECT document_id FROM ({own}) AS b ORDER BY document_id DESC LIMIT 1) AS last
        )
        SELECT DISTINCT ON (drawn.document_id) drawn.words FROM ends, generate_series(0, {places - 1:d}) AS place,
            LATERAL ({own} AND document_id >= first + (last - first) * place / {places:d}
                     ORDER BY document_id LIMIT {_SIDE_BY_SIDE:d}) AS drawn
    """


def _estimated(namespace_key: int, least: int) -> int:
    """Documents with words in the namespace, as far as Postgres knows without counting, and at least `least`."""
    (known,) = row("SELECT reltuples FROM pg_class WHERE oid = 'document_words'::regclass")
    return max(least, round(float(known) * _share(namespace_key)))


def _of_sample(namespace_key: int, documents: int, sample: str) -> WordStatistics:
    found = dict(rows("SELECT word, ndoc FROM ts_stat(%s)", [sample]))
    number = found.pop(mark(namespace_key), 0)
    if not number:
        return WordStatistics(documents, 1.0, {})
    least = 1 if number >= documents else _LEAST_SEEN
    shares = {word: count / number for word, count in found.items() if count >= least}
    standing = [0] * (len(STRONG_TIMES) + 1)
    for word, count in found.items():
        standing[level_of(word)] += count
    levels = tuple(there / before if before else 0.0 for before, there in pairwise(standing))
    return WordStatistics(documents, standing[0] / number or 1.0, shares, levels, _share(namespace_key) > _MOST)


def _share(namespace_key: int) -> float:
    """Of the documents with words, how many the namespace has: what Postgres knows of it, 0 where it knows nothing."""
    known = row(
        """
        SELECT most_common_vals::text::bigint[], most_common_freqs FROM pg_stats
        WHERE schemaname = current_schema() AND tablename = 'document_words' AND attname = 'namespace_id'
        """
    )
    return dict(zip(*known, strict=True)).get(namespace_key, 0.0) if known and known[0] else 0.0
