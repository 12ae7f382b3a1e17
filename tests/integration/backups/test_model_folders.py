"""Backups of the folders of models."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embeddings_app import registry
from embeddings_app.models import ModelRegistry, ModelStatus
from embeddings_app.services import namespaces
from embeddings_app.services.backups.errors import BackupRefused
from embeddings_app.services.backups.making import make_backup
from tests.integration.backups.steps import backup, restore, state


@pytest.fixture
def model_root(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    root.mkdir()
    return root


@pytest.fixture
def model_folder(model_root: Path) -> Iterator[Path]:
    """A folder that a version kept for rollback needs."""
    folder = model_root / "family" / "small"
    (folder / "pooling").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 100)
    (folder / "pooling" / "config.json").write_text("{}")
    version = ModelRegistry.objects.create(
        model_id="small", type="transformers", artifact="family/small", dimension=8, status=ModelStatus.STANDBY
    )
    yield folder
    ModelRegistry.objects.filter(pk=version.pk).delete()


def test_model_folders_are_in_it_and_come_back(directory: Path, model_folder: Path, model_root: Path) -> None:
    backup(directory, model_root)
    weights = (model_folder / "model.safetensors").read_bytes()
    restore(directory, model_root=model_root)
    elsewhere = model_root.with_name("other")
    restore(directory, model_root=elsewhere)
    assert (elsewhere / "family" / "small" / "model.safetensors").read_bytes() == weights
    assert (elsewhere / "family" / "small" / "pooling" / "config.json").read_text() == "{}"


def test_a_model_folder_with_another_content_is_never_written_over(
    directory: Path, model_folder: Path, model_root: Path
) -> None:
    backup(directory, model_root)
    (model_folder / "model.safetensors").write_bytes(b"others")
    before = state()
    with pytest.raises(BackupRefused, match="another model"):
        restore(directory, model_root=model_root)
    assert (model_folder / "model.safetensors").read_bytes() == b"others"
    assert state() == before


def test_links_in_a_model_folder_are_refused(directory: Path, model_folder: Path, model_root: Path) -> None:
    (model_folder / "vocab.txt").symlink_to("/etc/passwd")
    with pytest.raises(BackupRefused, match="link"):
        backup(directory, model_root)
    backup(directory)


def test_a_draft_without_its_folder_stops_no_backup(directory: Path, model_folder: Path, model_root: Path) -> None:
    draft = ModelRegistry.objects.create(model_id="typo", type="transformers", artifact="../x", dimension=8)
    said: list[str] = []
    try:
        manifest = make_backup(directory, model_root, said.append)
    finally:
        draft.delete()
    assert manifest.models == ("family/small",)
    assert [line for line in said if "../x" in line] != []
    registry.forget_cached()
    namespaces.forget_cached()
