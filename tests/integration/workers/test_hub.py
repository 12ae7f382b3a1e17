"""Models by hub id, from a hub on loopback: only data comes, pinned and whole, and only where it is allowed."""

import fcntl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from embedding_project.config import Config, load_config
from embedding_project.model_sources.hub import describe_remote, download, pinned
from embedding_project.model_sources.model_folder import HubName, ModelFilesError, hub_folder, hub_name
from tests.tiny_model import WIDTH, repository_files
from tests.unit.model_sources.fake_hub import COMMIT, REPOSITORY, FakeHub, fake_hub
from tests.unit.workers.builders import MINILM
from workers.encoders.base import ModelError
from workers.encoders.loading import encoder_loader

NAME = HubName(REPOSITORY, COMMIT)
DIMENSION = WIDTH


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return repository_files()


@pytest.fixture
def hub(files: dict[str, bytes]) -> Iterator[FakeHub]:
    with fake_hub(dict(files)) as running:
        yield running


@pytest.fixture
def config(hub: FakeHub, tmp_path: Path) -> Config:
    return replace(load_config(), hub_url=hub.url, hub_downloads=True, model_root=tmp_path)


@pytest.mark.parametrize("artifact", ["hub:", "hub:name", "hub:../x", "hub:a/..", "hub:a/b/c", "hub:a/b@../x"])
def test_a_malformed_name_is_refused(artifact: str) -> None:
    with pytest.raises(ModelFilesError):
        hub_name(artifact)


def test_a_branch_is_pinned_to_its_commit(config: Config) -> None:
    assert pinned(HubName(REPOSITORY, "main"), config).artifact == f"hub:{REPOSITORY}@{COMMIT}"


def test_a_model_is_described_without_its_weights(hub: FakeHub, config: Config) -> None:
    found = describe_remote(NAME, config)
    assert (found.dimension, found.pooling, found.max_tokens) == (DIMENSION, "cls", 32)
    assert "model.safetensors" not in hub.served


def test_an_embedder_downloads_data_only_and_runs_the_model(hub: FakeHub, config: Config) -> None:
    spec = replace(MINILM, artifact=NAME.artifact, dimension=DIMENSION, pooling="cls", max_tokens=32)
    encoder = encoder_loader(config, torch.device("cpu"))(spec)
    vectors = encoder.encode(encoder.tokenize(["a fox", "a bear"]))
    assert vectors.shape == (2, DIMENSION)
    assert np.isfinite(vectors).all()
    folder = hub_folder(NAME, config.model_root)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == set(hub.files) - {"pytorch_model.bin", "modeling_tiny.py", "onnx/config.json"}
    assert not list(folder.parent.glob("*.partial"))


def test_a_model_that_is_there_is_not_asked_for(hub: FakeHub, config: Config) -> None:
    download(NAME, config)
    asked = len(hub.served)
    download(NAME, replace(config, hub_downloads=False))
    assert len(hub.served) == asked


def test_an_interrupted_download_is_taken_up_again(hub: FakeHub, config: Config) -> None:
    hub.broken.add("tokenizer.json")
    with pytest.raises(ModelFilesError):
        download(NAME, config)
    assert not hub_folder(NAME, config.model_root).exists()
    whole = set(hub.served)
    assert whole
    hub.served.clear()
    hub.broken.clear()
    download(NAME, config)
    assert "tokenizer.json" in hub.served
    assert not whole & set(hub.served)
    assert (hub_folder(NAME, config.model_root) / "tokenizer.json").is_file()


def test_one_process_downloads_at_a_time(config: Config) -> None:
    folder = hub_folder(NAME, config.model_root)
    folder.parent.mkdir(parents=True)
    with folder.with_name(f"{COMMIT}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ModelFilesError, match="another process"):
            download(NAME, config)
    download(NAME, config)


def test_a_repository_of_pickles_is_refused_before_anything_comes(hub: FakeHub, config: Config) -> None:
    del hub.files["model.safetensors"]
    for attempt in (lambda: pinned(HubName(REPOSITORY, "main"), config), lambda: download(NAME, config)):
        with pytest.raises(ModelFilesError, match="no safetensors"):
            attempt()
    assert hub.served == []


def test_a_repository_that_is_not_there_is_named_so(config: Config) -> None:
    with pytest.raises(ModelFilesError, match="no such repository"):
        pinned(HubName("acme/missing", "main"), config)


def test_a_hub_that_is_away_is_named_so(hub: FakeHub, config: Config) -> None:
    hub.close()
    with pytest.raises(ModelFilesError, match="cannot be used now"):
        pinned(HubName(REPOSITORY, "main"), config)


def test_downloads_are_off_unless_allowed(hub: FakeHub, config: Config) -> None:
    spec = replace(MINILM, artifact=NAME.artifact, dimension=DIMENSION)
    with pytest.raises(ModelError, match="HUB_DOWNLOADS is 0"):
        encoder_loader(replace(config, hub_downloads=False), torch.device("cpu"))(spec)
    assert hub.served == []


def test_an_artifact_that_is_not_pinned_is_not_loaded(config: Config) -> None:
    with pytest.raises(ModelError, match="not pinned"):
        encoder_loader(config, torch.device("cpu"))(replace(MINILM, artifact=f"hub:{REPOSITORY}@main"))
