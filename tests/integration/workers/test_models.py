"""Which models are loaded, which are refused, and how long the pool keeps them."""

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from embedding_project.config import load_config
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embedding_project.model_sources.folder_check import check_folder
from embedding_project.model_sources.model_folder import ModelFilesError, model_folder
from tests.unit.model_sources.stored import safetensors
from tests.unit.workers.builders import HASHING, MINILM, RecordingEncoder
from workers.encoders.base import Encoder, ModelError
from workers.encoders.hashing import HashingEncoder
from workers.encoders.loading import encoder_loader
from workers.model_pool import RETRY_LOAD_SECONDS, ModelPool

CPU = torch.device("cpu")
Edit = Callable[[Path], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the real model's small files, with weights that are only a name."""
    source = model_folder(MINILM.artifact, tmp_path)
    target = tmp_path / "minilm"
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("model.safetensors"))
    (target / "model.safetensors").write_bytes(safetensors({}))
    return target


def put(name: str, **values: object) -> Edit:
    def edit(folder: Path) -> None:
        path = folder / name
        found = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**found, **values}))

    return edit


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def dense_layer(folder: Path) -> None:
    (folder / "modules.json").write_text('[{"type": "sentence_transformers.models.Dense"}]')


def test_a_sound_folder_is_accepted(folder: Path) -> None:
    check_folder(folder, 384)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (pickled, "pickled"),
        (without_weights, "no model.safetensors"),
        (put("config.json", auto_map={"AutoModel": "code.Model"}), "auto_map"),
        (put("tokenizer_config.json", auto_map={"AutoTokenizer": ["code.T", None]}), "auto_map"),
        (put("adapter_config.json"), "adapter"),
        (put("config.json", hidden_size=768), "768 dimensions"),
        (lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json is missing"),
        (lambda folder: (folder / "config.json").write_text("{"), "not JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), "not a JSON object"),
        (dense_layer, "Dense"),
    ],
)
def test_an_unsafe_or_unfit_folder_is_refused(folder: Path, edit: Edit, reason: str) -> None:
    edit(folder)
    with pytest.raises(ModelFilesError, match=reason):
        check_folder(folder, 384)


@pytest.mark.parametrize(
    "artifact", ["", ".", "..", "../other", "/etc", "minilm/../..", "package:os.path", "package:", "package:no_such"]
)
def test_an_artifact_outside_the_model_root_is_refused(folder: Path, artifact: str) -> None:
    with pytest.raises(ModelFilesError):
        model_folder(artifact, folder.parent)


def test_a_folder_below_the_model_root_is_found(folder: Path) -> None:
    assert model_folder("minilm", folder.parent) == folder.resolve()


def test_a_link_out_of_the_model_root_is_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "weights"
    outside.write_bytes(b"")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(outside)
    with pytest.raises(ModelFilesError, match="leads out"):
        model_folder("minilm", folder.parent)


@pytest.mark.parametrize(
    "spec",
    [
        replace(MINILM, dimension=768),
        replace(MINILM, max_tokens=1024),
        replace(MINILM, pooling="sum"),
        replace(MINILM, dtype="int3"),
        replace(MINILM, type=ModelType.OPENAI, artifact="", endpoint="https://example.org/v1"),
        replace(MINILM, type=ModelType.EXTERNAL),
    ],
)
def test_a_spec_that_does_not_fit_the_model_is_refused(spec: ModelSpec) -> None:
    with pytest.raises(ModelError):
        encoder_loader(load_config(), CPU)(spec)


def test_the_hashing_artifact_needs_no_files() -> None:
    encoder = encoder_loader(load_config(), CPU)(HASHING)
    assert isinstance(encoder, HashingEncoder)
    assert encoder.dimension == HASHING.dimension


class Loader:
    def __init__(self) -> None:
        self.loaded: list[int] = []
        self.error: Exception | None = None

    def __call__(self, spec: ModelSpec) -> Encoder:
        self.loaded.append(spec.version_key)
        if self.error:
            raise self.error
        return RecordingEncoder()


def test_the_pool_loads_once_and_lets_the_least_recently_used_go() -> None:
    load = Loader()
    pool = ModelPool(load, capacity=2)
    specs = [replace(HASHING, version_key=key) for key in range(3)]
    for key in (0, 1, 0, 2, 0, 1):
        pool.get(specs[key])
    assert load.loaded == [0, 1, 2, 1]


def test_versions_that_share_a_package_share_its_weights() -> None:
    load = Loader()
    pool = ModelPool(load)
    assert pool.get(MINILM) is pool.get(replace(MINILM, version_key=9, query_prompt="query: "))
    assert pool.get(MINILM) is not pool.get(replace(MINILM, pooling="cls"))


def test_a_failed_load_is_logged_once_and_tried_again_after_a_pause(caplog: pytest.LogCaptureFixture) -> None:
    load, now = Loader(), [0.0]
    load.error = ValueError("damaged")
    pool = ModelPool(load, monotonic=lambda: now[0])
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            with pytest.raises(ModelError, match="damaged"):
                pool.get(HASHING)
            with pytest.raises(ModelError, match="damaged"):
                pool.get(HASHING)
            now[0] += RETRY_LOAD_SECONDS
    assert len(load.loaded) == 3
    assert len([record for record in caplog.records if record.name == "workers.model_pool"]) == 1
    load.error = None
    assert pool.get(HASHING) is pool.get(HASHING)


class Weighty(RecordingEncoder):
    def __init__(self, memory_bytes: int) -> None:
        super().__init__()
        self._memory_bytes = memory_bytes

    @property
    def memory_bytes(self) -> int:
        return self._memory_bytes


def test_models_leave_until_a_new_one_fits_into_the_memory() -> None:
    sizes = {"a": 40, "b": 40, "c": 70}
    loaded: list[str] = []

    def load(spec: ModelSpec) -> Encoder:
        loaded.append(spec.artifact)
        return Weighty(sizes[spec.artifact])

    pool = ModelPool(load, budget_bytes=100)
    specs = {name: replace(MINILM, artifact=name, version_key=key) for key, name in enumerate(sizes)}
    for name in ("a", "b", "a", "b", "c", "a", "a"):
        pool.get(specs[name])
    assert loaded == ["a", "b", "c", "a"]


def test_a_model_that_is_larger_than_the_memory_is_refused_and_costs_no_other_its_place() -> None:
    sizes = {"small": 2**20, "large": 9 * 2**20 + 1}
    loaded: list[str] = []

    def load(spec: ModelSpec) -> Encoder:
        loaded.append(spec.artifact)
        return Weighty(sizes[spec.artifact])

    pool = ModelPool(load, budget_bytes=4 * 2**20)
    pool.get(replace(MINILM, artifact="small", version_key=1))
    with pytest.raises(ModelError, match="takes 10 MiB, EMBED_MEMORY_MB allows 4"):
        pool.get(replace(MINILM, artifact="large", version_key=2))
    pool.get(replace(MINILM, artifact="small", version_key=1))
    assert loaded == ["small", "large"]
