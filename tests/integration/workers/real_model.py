"""The packaged model as embedders load it, once for each process of a run."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from embedding_project.contracts.model_spec import PACKAGED_MODEL
from embedding_project.model_sources.model_folder import model_folder
from workers.encoders.packaged import load_packaged
from workers.encoders.transformer import TransformerEncoder

CPU = torch.device("cpu")
FOLDER = model_folder(PACKAGED_MODEL.artifact, Path("models"))


@cache
def real_model(dtype: str = "fp32", **options: Any) -> TransformerEncoder:
    """`options`: of `load_packaged`."""
    found = load_packaged(replace(PACKAGED_MODEL, dtype=dtype), FOLDER, CPU, **options)
    assert found is not None
    return found
