"""A cross-encoder made of the packaged model: its weights, and a head that is fitted to a few pairs in a second.

The head knows these pairs and little else, which is enough to tell whether scores go the right way. The same on every
machine, up to rounding.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file
from transformers import AutoTokenizer, BertConfig, BertModel

from embedding_project.contracts.model_spec import PACKAGED_MODEL
from embedding_project.model_sources.model_folder import model_folder

QUERIES = {
    "where do foxes sleep?": "Foxes sleep in dens under the ground.",
    "how is bread made?": "Bread is baked from flour, water and salt.",
    "what does a heater do?": "A heater keeps the rooms of a house warm.",
    "who wrote the letter?": "The letter was written by her grandmother.",
}
"""Query -> the text that answers it; each other text does not."""
_RIDGE = 1e-3
_COPIED = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json")


def write_cross_encoder(folder: Path) -> Path:
    source = model_folder(PACKAGED_MODEL.artifact, Path("models"))
    config = BertConfig.from_pretrained(source)
    model = BertModel(config).eval()
    weights = load_file(source / "model.safetensors")
    model.load_state_dict(weights, strict=False)
    tokenizer = AutoTokenizer.from_pretrained(source)
    pairs = [(query, text) for query in QUERIES for text in QUERIES.values()]
    wanted = np.array([4.0 if QUERIES[query] == text else -4.0 for query, text in pairs])
    with torch.inference_mode():
        read = tokenizer([q for q, _ in pairs], [t for _, t in pairs], padding=True, return_tensors="pt")
        features = model(**read).pooler_output.numpy().astype(np.float64)
    inputs = np.hstack([features, np.ones((len(pairs), 1))])
    head = np.linalg.solve(inputs.T @ inputs + _RIDGE * np.eye(inputs.shape[1]), inputs.T @ wanted)
    folder.mkdir(parents=True)
    named = {f"bert.{name}": tensor.numpy() for name, tensor in model.state_dict().items()}
    named["classifier.weight"] = head[None, :-1].astype(np.float32)
    named["classifier.bias"] = head[-1:].astype(np.float32)
    save_file(named, folder / "model.safetensors", {"format": "pt"})
    told = {**config.to_dict(), "architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"}}
    (folder / "config.json").write_text(json.dumps(told))
    for name in _COPIED:
        if (source / name).exists():
            shutil.copy(source / name, folder / name)
    return folder
