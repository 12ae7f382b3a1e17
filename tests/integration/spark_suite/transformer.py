"""`TextEmbedder` in pipelines of Spark: the vectors of the service, saved, loaded, its model loaded once a worker."""

import re
from collections.abc import Iterator
from dataclasses import replace
from os import getpid
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, SparkSession

from bulk_ingest.embedding import load_embedder
from bulk_ingest.spark import transformer
from bulk_ingest.spark.transformer import TextEmbedder, spec_to_json
from embedding_project.config import PROJECT_ROOT, load_config
from embedding_project.contracts.model_spec import PACKAGED_MODEL

PAGE = PROJECT_ROOT / "docs" / "how-to" / "load-with-spark.md"
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
TEXTS = [f"where do {number % 7} foxes sleep?" for number in range(40)]
BAD = {"": "empty_input", "a\x00b": "invalid_text", None: "invalid_type"}


@pytest.fixture(scope="module")
def texts(session: SparkSession) -> DataFrame:
    rows = list(enumerate([*TEXTS, *BAD]))
    return session.createDataFrame(rows, "place int, body string").repartition(4, "place").cache()


def _found(frame: DataFrame) -> list[Any]:
    return sorted(frame.collect(), key=lambda row: row.place)


def test_the_vectors_are_those_of_the_service_and_bad_texts_are_named(texts: DataFrame) -> None:
    found = _found(TextEmbedder(inputCol="body", outputCol="meaning").transform(texts))
    assert [row.body for row in found] == [*TEXTS, *BAD]
    assert [row.error for row in found] == [None] * len(TEXTS) + list(BAD.values())
    assert [row.meaning for row in found if row.error] == [None] * len(BAD)
    expected = load_embedder(PACKAGED_MODEL, load_config()).embed(TEXTS).vectors
    vectors = np.array([row.meaning for row in found[: len(TEXTS)]], np.float32)
    assert (vectors * expected).sum(axis=1).min() >= 0.9999
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)


def test_it_is_saved_and_loaded_alone_and_in_a_pipeline_without_anything_of_the_model(
    texts: DataFrame, tmp_path: Path
) -> None:
    embedder = TextEmbedder(inputCol="body")
    expected = _found(embedder.transform(texts))
    embedder.save(str(tmp_path / "alone"))
    PipelineModel([embedder]).save(str(tmp_path / "pipeline"))
    for loaded in (TextEmbedder.load(str(tmp_path / "alone")), PipelineModel.load(str(tmp_path / "pipeline"))):
        assert _found(loaded.transform(texts)) == expected
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 10_000


def test_another_model_and_other_columns_are_parameters(texts: DataFrame) -> None:
    spec = spec_to_json(replace(PACKAGED_MODEL, artifact="hashing:"))
    frame = TextEmbedder(spec=spec, inputCol="body", outputCol="v", errorCol="e").transform(texts)
    assert frame.columns == ["place", "body", "v", "e"]
    assert frame.schema["v"].simpleString() == "v:array<float>"
    assert len(_found(frame)[0].v) == PACKAGED_MODEL.dimension
    with pytest.raises(ValueError, match="are there already"):
        TextEmbedder(inputCol="body", outputCol="place").transform(texts)


def test_a_worker_loads_the_model_once_for_all_jobs(texts: DataFrame) -> None:
    frame = TextEmbedder(inputCol="body").transform(texts)
    for _ in range(2):
        frame.collect()
    loads = dict(texts.mapInArrow(_loads, "worker int, loads int").collect())
    assert loads
    assert max(loads.values()) <= 2  # of the packaged model, and of that of the test before


def test_the_code_of_the_page_works(session: SparkSession, tmp_path: Path) -> None:
    (code,) = _PYTHON.findall(PAGE.read_text(encoding="utf-8"))
    # Java stays in the folder in which the session was started.
    for name in ("pipeline", "embedded"):
        code = code.replace(f'"{name}"', f'"{tmp_path / name}"')
    exec(compile(code, str(PAGE), "exec"), {})
    found = session.read.parquet(str(tmp_path / "embedded")).orderBy("id").collect()
    assert [(row.id, row.vector is None, row.error) for row in found] == [(1, False, None), (2, True, "empty_input")]


def _loads(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for _ in batches:
        pass
    values = (getpid(), transformer._model.cache_info().misses)
    yield pa.RecordBatch.from_arrays([pa.array([value], pa.int32()) for value in values], ["worker", "loads"])
