"""What a fresh database needs before the first request: epoch, layout, model, roles, schedule, administrator."""

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from embedding_project.config import Config
from embedding_project.contracts.model_spec import PACKAGED_MODEL
from embeddings_app.models import Layout, LayoutStatus, LogEpoch, ModelRegistry, ModelStatus
from embeddings_app.records.api_keys import any_key
from embeddings_app.records.topology import live_layouts
from embeddings_app.services.access.roles import install_roles
from embeddings_app.services.jobs.schedule import seed_schedule
from embeddings_app.services.model_versions.indexes import prepare_indexes


class KeyNeeded(Exception):
    """The service would listen beyond loopback, and nobody would need a key."""


class LayoutDiffers(Exception):
    """The shards asked for are not those of the stored layout."""


def install(*, shards: int, replicas: int, admin_password: str) -> bool:
    """Bring the database to its first usable state; True when it was fresh. Raises LayoutDiffers."""
    with transaction.atomic():
        LogEpoch.objects.get_or_create(id=1)
        fresh = _install_layout(shards, replicas)
        _install_packaged_model()
        install_roles()
        seed_schedule()
    # To hash a password takes seconds on a busy machine, which is too long inside a transaction.
    if admin_password:
        _install_admin(admin_password)
    return fresh


def refuse_open_service(config: Config) -> None:
    """Raises KeyNeeded where every host that reaches the port could read and write without a key."""
    if not config.on_loopback and not config.api_key and not any_key():
        raise KeyNeeded(
            f"HOST is {config.host} and there is no key: set API_KEY, or start on loopback once and run "
            "'manage.py apikey create'"
        )


def _install_layout(shards: int, replicas: int) -> bool:
    layout = Layout.objects.filter(status=LayoutStatus.ACTIVE).first()
    if layout is None:
        Layout.objects.create(shards=shards, replicas=replicas)
        return True
    if shards not in {live.shards for live in live_layouts()}:
        raise LayoutDiffers(
            f"SHARDS is {shards}, but the documents are spread over {layout.shards} shards; "
            f"set SHARDS={layout.shards}, start, and spread them anew: manage.py reshard run --shards {shards}"
        )
    if layout.replicas != replicas:
        layout.replicas = replicas
        layout.save(update_fields=["replicas"])
    return False


def _install_packaged_model() -> None:
    if ModelRegistry.objects.filter(model_id=PACKAGED_MODEL.model_id).exists():
        return
    version = ModelRegistry.objects.create(
        model_id=PACKAGED_MODEL.model_id,
        type=PACKAGED_MODEL.type,
        artifact=PACKAGED_MODEL.artifact,
        dimension=PACKAGED_MODEL.dimension,
        max_tokens=PACKAGED_MODEL.max_tokens,
        status=ModelStatus.ACTIVE,
        probed_at=timezone.now(),
    )
    prepare_indexes(version)


def _install_admin(password: str) -> None:
    users = get_user_model()
    if not users.objects.filter(is_superuser=True).exists():
        users.objects.create_superuser("admin", password=password)
