"""`manage.py apikey create | list | revoke`: keys of the API, as in the admin."""

import re
import sys
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from embedding_project.contracts.errors import ServiceError
from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.models import ApiKey, Scope
from embeddings_app.services import audit
from embeddings_app.services.access.api_keys import (
    FIRST_KEY,
    KeyGrant,
    create_key,
    ends_keyless_use,
    key_state,
    revoke_key,
)

_AGE = re.compile(r"(\d{1,5})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Command(ServiceCommand):
    help = "Make, list and revoke API keys. A key is shown once, when it is made."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a key and print it")
        create.add_argument("--name", required=True)
        create.add_argument("--scope", action="append", required=True, choices=list(Scope), dest="scopes")
        create.add_argument("--namespace", action="append", default=[], dest="namespaces", help="none given: all")
        create.add_argument("--expires", type=_age, help="such as 12h or 30d; left out: never")
        create.add_argument("--requests-per-second", type=float)
        create.add_argument("--inputs-per-second", type=float, help="texts, documents and queries")
        create.add_argument("--yes", action="store_true", help="make the first key, which ends keyless use, unasked")
        actions.add_parser("list", help="show all keys")
        actions.add_parser("revoke", help="make a key useless for good").add_argument("prefix")

    def handle(self, *args: Any, **options: Any) -> None:
        {"create": self._create, "list": self._list, "revoke": self._revoke}[options["action"]](options)

    def _create(self, options: dict[str, Any]) -> None:
        first = ends_keyless_use()
        if first and not options["yes"]:
            self._confirm()
        grant = KeyGrant(
            name=options["name"],
            scopes=options["scopes"],
            namespaces=options["namespaces"],
            expires_at=timezone.now() + options["expires"] if options["expires"] else None,
            requests_per_second=options["requests_per_second"],
            inputs_per_second=options["inputs_per_second"],
        )
        try:
            _, text = create_key(grant, audit.command_actor())
        except ServiceError as error:
            raise CommandError(f"{error.field}: {error.message}") from error
        self.stdout.write(text)
        if first:
            self.stderr.write(FIRST_KEY)

    def _confirm(self) -> None:
        self.stderr.write(FIRST_KEY)
        if not sys.stdin.isatty():
            raise CommandError("say --yes to make it")
        self.stderr.write("Make it? [y/N] ", ending="")
        if input().strip().lower() not in ("y", "yes"):
            raise CommandError("no key was made")

    def _list(self, _options: dict[str, Any]) -> None:
        keys = ApiKey.objects.order_by("pk")
        if not keys:
            self.stdout.write("no key" + ("; the service is keyless" if ends_keyless_use() else " was ever made"))
        for key in keys:
            where = ",".join(key.namespaces) or "all namespaces"
            used = f"used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
            self.stdout.write(f"{key.prefix}  {key_state(key):8}  {','.join(key.scopes)}  {where}  {used}  {key.name}")

    def _revoke(self, options: dict[str, Any]) -> None:
        if not revoke_key(options["prefix"], audit.command_actor()):
            raise CommandError(f"no key in use has the prefix {options['prefix']}")
        self.stdout.write("revoked; refused everywhere within 5 seconds")


def _age(text: str) -> timedelta:
    found = _AGE.fullmatch(text)
    if not found or int(found[1]) == 0:
        raise ArgumentTypeError("must be a number and s, m, h or d, such as 12h or 30d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
