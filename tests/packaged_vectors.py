"""The vectors of the transformers library by which the packaged model is checked at every load.

`python -m tests.packaged_vectors` writes them anew, for another packaged model or other probe texts.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from embedding_project.contracts.model_spec import PACKAGED_MODEL, Runtime
from embedding_project.contracts.vectors import Vector
from embedding_project.model_sources.model_folder import model_folder
from workers.encoders.packaged import VECTORS
from workers.encoders.transformer import load_transformer, probe_texts


def library_vectors() -> Vector:
    """One row for each probe text, each computed alone."""
    spec = replace(PACKAGED_MODEL, runtime=Runtime.TRANSFORMERS)
    library = load_transformer(spec, model_folder(spec.artifact, Path("models")), torch.device("cpu"))
    return np.concatenate([library.encode([tokens]) for tokens in library.tokenize(probe_texts(spec.max_tokens))])


if __name__ == "__main__":
    np.save(VECTORS, library_vectors())
