"""`manage.py reshard run | start | show | pause | resume | switch | drop`: another number of shards under traffic."""

import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from embedding_project.contracts.errors import ServiceError
from embedding_project.wording import plural
from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.models import Layout, LayoutStatus
from embeddings_app.records.layout_progress import LogProgress, log_progress
from embeddings_app.records.topology import live_layouts
from embeddings_app.services import audit
from embeddings_app.services.layouts import changing

_LOOK_SECONDS = 1.0


class Command(ServiceCommand):
    help = "Spread the documents over another number of shards, while searches and writes go on."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        running = actions.add_parser("run", help="start or go on, show how far it is, and switch at the end")
        starting = actions.add_parser("start", help="begin a second layout; nodes fill it")
        for action in (running, starting):
            action.add_argument("--shards", type=int, required=True)
        actions.add_parser("show", help="show all live layouts, and how far nodes are")
        actions.add_parser("pause", help="let nodes stop their unfinished loads")
        actions.add_parser("resume", help="let nodes begin these loads again")
        switching = actions.add_parser("switch", help="let the other layout answer; the same command leads back")
        for action in (running, switching):
            action.add_argument(
                "--keep-hours",
                type=float,
                default=changing.KEPT_HOURS,
                help="how long the layout before stays, to go back to (%(default)s)",
            )
        actions.add_parser("drop", help="give up the layout that does not answer")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = audit.command_actor()
        acts: dict[str, Callable[[], None]] = {
            "run": lambda: self._run(options["shards"], options["keep_hours"], actor),
            "start": lambda: self._say(changing.start(options["shards"], actor)),
            "show": self._show,
            "pause": lambda: self._say(changing.pause(actor, paused=True)),
            "resume": lambda: self._say(changing.pause(actor, paused=False)),
            "switch": lambda: self._say(changing.switch(actor, options["keep_hours"])),
            "drop": lambda: self._say(changing.drop(actor)),
        }
        try:
            acts[options["action"]]()
        except ServiceError as error:
            raise CommandError(error.message) from error

    def _run(self, shards: int, kept_hours: float, actor: str) -> None:
        if changing.active_layout().shards == shards:
            self.stdout.write(f"the number of shards is {shards} already")
            return
        layout = changing.other_layout()
        if layout is None:
            layout = changing.start(shards, actor)
        if layout.shards != shards:
            raise CommandError(f"{layout} is {layout.status}: go on with it, or drop it first")
        self._say(layout)
        said = ""
        # `switch` asks for fewer graphs: somebody may not want to wait for them.
        while any(not log.built for log in log_progress(layout.pk)):
            if (line := _summary(log_progress(layout.pk))) != said:
                self.stdout.write(line)
                said = line
            time.sleep(_LOOK_SECONDS)
            layout.refresh_from_db()
            if layout.status not in (LayoutStatus.BUILDING, LayoutStatus.STANDBY):
                raise CommandError(f"{layout} is {layout.status}: somebody else has changed it")
        self._say(changing.switch(actor, kept_hours))
        self.stdout.write(
            f"The layout before is kept for {kept_hours:g} hours: 'manage.py reshard switch' leads back to it, "
            "'manage.py reshard drop' frees it. Set SHARDS to "
            f"{shards} before the next start."
        )

    def _show(self) -> None:
        for layout in live_layouts():
            self._say(layout)
            for log in log_progress(layout.pk):
                self.stdout.write(f"  {_line(log)}")

    def _say(self, layout: Layout) -> None:
        paused = ", paused" if layout.paused else ""
        kept = f", kept until {layout.kept_until:%Y-%m-%d %H:%M} UTC" if layout.kept_until else ""
        self.stdout.write(f"{layout}: {layout.status}{paused}{kept}")


def _summary(logs: list[LogProgress]) -> str:
    ready, documents = sum(log.ready > 0 for log in logs), sum(log.documents for log in logs)
    in_graphs, to_load = sum(log.in_graphs for log in logs), sum(max(log.to_load, log.documents) for log in logs)
    problems = "".join(f"; shard {log.shard}: {log.problem}" for log in logs if log.problem)
    silent = sorted({log.shard for log in logs if not log.replicas})
    missing = f"; no node for shard {', '.join(map(str, silent))}" if silent else ""
    return (
        f"{ready} of {plural(len(logs), 'log')} ready, {documents:,} of {plural(to_load, 'document')} loaded, "
        f"{in_graphs:,} in graphs{missing}{problems}"
    )


def _line(log: LogProgress) -> str:
    problem = f"  {log.problem}" if log.problem else ""
    return (
        f"shard {log.shard}  {log.version}  {log.ready} of {plural(log.replicas, 'replica')} ready  "
        f"{plural(log.documents, 'document')}, {log.in_graphs:,} in graphs  at {log.applied} of {log.head}{problem}"
    )
