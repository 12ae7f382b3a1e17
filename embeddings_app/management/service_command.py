"""The base of the commands of this service."""

from django.core.management.base import BaseCommand


class ServiceCommand(BaseCommand):
    """Makes none of Django's checks of the code: they load every page and take as long as the rest of a short command.

    `manage.py check` makes them, and the tests do.
    """

    requires_system_checks = ()
