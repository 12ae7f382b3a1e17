"""The encoder of a model version as a stage of Spark's pipelines: texts in, vectors out, texts at fault named.

It knows no database. A pipeline that is saved holds the facts of the model and where its files lie, nothing of them.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cache, partial

import numpy as np
import pyarrow as pa
from pyspark.ml import Transformer
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasInputCol, HasOutputCol
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable
from pyspark.sql import DataFrame
from pyspark.sql.types import ArrayType, FloatType, StringType, StructField, StructType

from bulk_ingest.embedding import TextEmbedder as ModelEmbedder
from bulk_ingest.embedding import load_embedder
from embedding_project.config import STAND_INS, inherited_environment, read_config
from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.model_spec import PACKAGED_MODEL, ModelSpec
from embedding_project.contracts.text import checked_text


class TextEmbedder(Transformer, HasInputCol, HasOutputCol, DefaultParamsReadable, DefaultParamsWritable):
    """Adds the vectors of a column of texts (array<float>, of unit length), and an error code where there is none.

    The parameters are keywords: `TextEmbedder(inputCol="body", outputCol="embedding")`. Equal texts of a batch are
    computed once; a batch has `spark.sql.execution.arrow.maxRecordsPerBatch` rows.
    """

    spec = Param(
        Params._dummy(),  # noqa: SLF001
        "spec",
        "the model version, as JSON of its facts; the packaged model when left out",
        TypeConverters.toString,
    )
    errorCol = Param(  # noqa: N815
        Params._dummy(),  # noqa: SLF001
        "errorCol",
        "gets the error code of /v1/embed for a text that has no vector, else null",
        TypeConverters.toString,
    )

    def __init__(self, **params: str) -> None:
        super().__init__()
        self._setDefault(inputCol="text", outputCol="vector", errorCol="error", spec=spec_to_json(PACKAGED_MODEL))
        self._set(**params)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        text, vector, error = (self.getOrDefault(name) for name in ("inputCol", "outputCol", "errorCol"))
        if taken := {vector, error}.intersection(dataset.columns):
            raise ValueError(f"the columns {sorted(taken)} are there already: choose outputCol and errorCol")
        added = [StructField(vector, ArrayType(FloatType(), containsNull=False)), StructField(error, StringType())]
        schema = StructType([*dataset.schema.fields, *added])
        return dataset.mapInArrow(partial(_embed, self.getOrDefault("spec"), text, (vector, error)), schema)


def spec_to_json(spec: ModelSpec) -> str:
    """What the parameter `spec` takes."""
    return json.dumps(spec.to_wire())


def _embed(spec: str, text: str, names: Sequence[str], batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        vectors, errors = _outcomes(spec, batch.column(text).to_pylist())
        yield pa.RecordBatch.from_arrays([*batch.columns, vectors, errors], [*batch.schema.names, *names])


def _outcomes(spec: str, values: Sequence[object]) -> tuple[pa.Array, pa.Array]:
    """Of each text its vector or its error code."""
    checked = [_checked(value) for value in values]
    errors = [code for _, code in checked]
    good = [place for place, code in enumerate(errors) if not code]
    found = _model(spec).embed([checked[place][0] for place in good])
    for place, code in zip(good, found.errors, strict=True):
        errors[place] = code
    vectors = found.vectors[[not code for code in found.errors]]
    without = np.array([bool(code) for code in errors], dtype=bool)
    ends = np.cumsum(~without, dtype=np.int32) * vectors.shape[1]
    offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
    numbers = pa.array(vectors.reshape(-1), pa.float32())
    named = pa.array([code or None for code in errors], pa.string())
    return pa.ListArray.from_arrays(offsets, numbers, mask=pa.array(without)), named


def _checked(value: object) -> tuple[str, str]:
    """The text in normal form, and what is wrong with it as an error code."""
    try:
        return checked_text(value, "text"), ""
    except InvalidRequest as error:
        return "", error.code


@cache
def _model(spec: str) -> ModelEmbedder:
    """Loaded once in a Python worker, which Spark keeps for later tasks."""
    config = read_config({**STAND_INS, **inherited_environment()})
    return load_embedder(ModelSpec.from_wire(json.loads(spec)), config)
