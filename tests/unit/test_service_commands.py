"""Commands of this service start without Django's checks of the code."""

from django.core.management import get_commands, load_command_class

from embeddings_app.management.service_command import ServiceCommand


def test_every_command_of_the_service_is_one() -> None:
    names = [name for name, app in get_commands().items() if app == "embeddings_app"]
    assert names
    assert [name for name in names if not isinstance(load_command_class("embeddings_app", name), ServiceCommand)] == []
