"""Sources of imports: only below the prefixes that are allowed, however they are written."""

from pathlib import Path

import pytest

from embedding_project.contracts.errors import ServiceError
from embeddings_app.services.bulk.sources import check_source, inside

PREFIXES = ("/data/corpus", "s3://bucket/corpus/")


@pytest.mark.parametrize(
    "source",
    [
        "/data/corpus",
        "/data/corpus/a.jsonl",
        "/data/corpus/deep/*.parquet",
        "s3://bucket/corpus",
        "s3://bucket/corpus/a/[ab].jsonl.gz",
    ],
)
def test_what_lies_below_a_prefix_is_allowed(source: str) -> None:
    check_source(source, PREFIXES)


@pytest.mark.parametrize(
    "source",
    [
        "/data/corpus-2/a",
        "/data/*/a",
        "/data/corpus*",
        "/data/corpus/../a",
        "data/corpus/a",
        "/data",
        "",
        "s3://bucket/corpus-2",
        "s3://bucket/corpus/../a",
        "s3://bucket2/corpus/a",
        "S3://bucket/corpus/a",
        "/data/corpus/a\x00",
    ],
)
def test_what_does_not_is_refused(source: str) -> None:
    with pytest.raises(ServiceError) as refused:
        check_source(source, PREFIXES)
    assert refused.value.code == "source_not_allowed"


def test_nothing_is_allowed_without_prefixes_and_the_setting_is_named() -> None:
    with pytest.raises(ServiceError, match="BULK_SOURCES is empty"):
        check_source("/data/corpus/a", ())


def test_links_are_followed_before_a_file_is_read(tmp_path: Path) -> None:
    allowed, other = tmp_path / "allowed", tmp_path / "other"
    for folder in (allowed, other):
        folder.mkdir()
        (folder / "a.jsonl").touch()
    (allowed / "out").symlink_to(other)
    assert inside(str(allowed / "a.jsonl"), [str(allowed)])
    assert not inside(str(allowed / "out" / "a.jsonl"), [str(allowed)])
    assert inside("s3://bucket/a/b", ["s3://bucket/a"])
    assert not inside("s3://bucket/ab", ["s3://bucket/a", "/"])
