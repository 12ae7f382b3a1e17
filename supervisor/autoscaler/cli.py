"""The command `autoscale` of manage.py: reads the backlog once a second and keeps the wanted number of embedders."""

import argparse
import math
import sys
import threading
import time
from collections.abc import Sequence

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.embed_reports import read_load
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import Config, inherited_environment, read_config
from embedding_project.contracts.messages import Lane
from embedding_project.wording import plural
from supervisor import instance
from supervisor.autoscaler.decisions import Reading, Rules, State, decide
from supervisor.autoscaler.embedder_pool import EmbedderPool
from supervisor.cli import add_instance_options
from supervisor.errors import exit_code
from supervisor.interrupts import stop_signal
from supervisor.launch import Options
from supervisor.logs import Console
from supervisor.roles import role

_LOCK_FILE = "autoscaler.lock"
_TICK_SECONDS = 0.2
_READ_SECONDS = 1.0
_REFUSED_LATELY_SECONDS = 3.0


def main(argv: Sequence[str]) -> int:
    """Scale until a signal or the end of the instance; the exit code is 0, 1 for a failure, 2 for a wrong setting."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    rules = _rules(arguments)
    if rules.fewest > rules.most or rules.down_seconds >= rules.up_seconds:
        parser.error("--min must not be above --max, and --down must be below --up")
    console = Console(sys.stdout)
    return exit_code(lambda: _run(arguments, rules, console), console.say)


def _run(arguments: argparse.Namespace, rules: Rules, console: Console) -> int:
    stop = stop_signal()
    config = read_config(Options(var=arguments.var).environment())
    config.var_dir.mkdir(parents=True, exist_ok=True)
    first = config.embedders if arguments.first is None else arguments.first
    # Two autoscalers would start embedders of the same names.
    refusal = f"an autoscaler runs in {config.var_dir} already"
    with instance.only_holder(config.var_dir / _LOCK_FILE, lambda: refusal):
        Autoscaler(config, rules, first, console, stop).run()
    return 0


class Autoscaler:
    """Runs in the calling thread, from which all its embedders are started."""

    def __init__(self, config: Config, rules: Rules, first: int, console: Console, stop: threading.Event) -> None:
        self._config = config
        self._rules = rules
        self._console = console
        self._stop = stop
        self._redis = broker_client(config.redis_url)
        log_dir = config.var_dir / "logs"
        log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        inherited = inherited_environment()
        self._pool = EmbedderPool(lambda number: role("embedder", config, inherited, number), first, log_dir, console)
        self._supervisor = instance.holder(config.var_dir)

    def run(self) -> None:
        """Until `stop` is set, or the instance beside which this was started is gone; then end every embedder."""
        rules = self._rules
        self._console.say(f"autoscaling: {rules.fewest} to {rules.most} embedders")
        state = State(wanted=rules.fewest)
        read_at = float("-inf")
        try:
            while not self._stop.wait(_TICK_SECONDS) and not self._instance_ended():
                if time.monotonic() - read_at >= _READ_SECONDS:
                    read_at = time.monotonic()
                    state = self._follow(state)
                self._pool.tick()
        finally:
            self._console.say(f"stopping {plural(self._pool.size, 'embedder')}")
            self._pool.stop()

    def _follow(self, state: State) -> State:
        reading = read(self._redis)
        after = decide(self._rules, state, reading)
        if after.wanted != state.wanted:
            backlog = "unknown" if reading.backlog_seconds is None else f"{reading.backlog_seconds:.2f} s"
            refusing = ", requests are refused" if reading.refusing else ""
            self._console.say(f"backlog {backlog}{refusing}: {state.wanted} -> {plural(after.wanted, 'embedder')}")
        self._pool.resize(after.wanted)
        return after

    def _instance_ended(self) -> bool:
        return self._supervisor is not None and instance.holder(self._config.var_dir) != self._supervisor


def read(redis: Redis) -> Reading:
    """The load as it is now; a broker that does not answer leaves it unknown."""
    now = time.monotonic()
    try:
        load = read_load(redis)
    except RedisError:
        return Reading(at=now, backlog_seconds=None, refusing=False)
    refusing = time.time() - load.refused_at < _REFUSED_LATELY_SECONDS
    lanes = [load.backlog_seconds(lane) for lane in Lane]
    known = [seconds for seconds in lanes if seconds is not None]
    if len(known) == len(lanes):
        return Reading(at=now, backlog_seconds=sum(known), refusing=refusing)
    # Text waits: without an embedder it waits without end; with some, their speed is not known yet.
    return Reading(at=now, backlog_seconds=None if load.embedders else math.inf, refusing=refusing)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="manage.py autoscale", description=__doc__)
    parser.add_argument("command", choices=["autoscale"], help=argparse.SUPPRESS)
    add_instance_options(parser, port=False)
    parser.add_argument("--min", type=_count, default=0, metavar="N", help="embedders it always keeps (default: 0)")
    parser.add_argument("--max", type=_count, default=2, metavar="N", help="embedders it starts at most (default: 2)")
    parser.add_argument(
        "--first", type=_count, metavar="N", help="number of its first embedder (default: EMBEDDERS, which up started)"
    )
    for name, default, meaning in (
        ("--up", 0.2, "a backlog above this is pressure, and so are refusals"),
        ("--up-after", 5.0, "one more is started when pressure lasts so long"),
        ("--down", 0.05, "a backlog below this is quiet"),
        ("--down-after", 120.0, "one is stopped when quiet lasts so long"),
        ("--pause", 20.0, "between two changes at least"),
    ):
        parser.add_argument(
            name, type=_seconds, default=default, metavar="S", help=f"seconds; {meaning} (default: {default:g})"
        )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > 1_000:
        raise argparse.ArgumentTypeError("must be 0 to 1000")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError("must be 0 to 86400 seconds")
    return seconds


def _rules(arguments: argparse.Namespace) -> Rules:
    return Rules(
        fewest=arguments.min,
        most=arguments.max,
        up_seconds=arguments.up,
        up_after_seconds=arguments.up_after,
        down_seconds=arguments.down,
        down_after_seconds=arguments.down_after,
        pause_seconds=arguments.pause,
    )
