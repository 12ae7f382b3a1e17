"""`python -m tests.chaos`: one run under faults, or with `--planted` runs that a check must find fault with."""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.faults.catalogue import CATALOGUE
from tests.chaos.planted_runs import PLANTED, planted_options
from tests.chaos.run import Options, Verdict, run

_SHOWN = 20
"""Violations of one check that are printed; the history has the rest."""


def main(argv: Sequence[str]) -> int:
    """0 when a run was sound, or when every planted bug was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("CHAOS_SECONDS", "300")))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("CHAOS_SEED") or random.randrange(10**6)))
    parser.add_argument("--folder", type=Path, help="for history and logs (default: a new one for temporary files)")
    parser.add_argument("--only", nargs="+", choices=CATALOGUE, metavar="FAULT", help="draw from these alone")
    parser.add_argument("--no-upgrades", action="store_true", help="leave the model at its first version")
    parser.add_argument("--planted", choices=(*PLANTED, "all"), help="switch a bug on; succeed if a check catches it")
    arguments = parser.parse_args(argv)
    # As with Ctrl-C, the instance is stopped and its directory removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    if arguments.planted:
        names = tuple(PLANTED) if arguments.planted == "all" else (arguments.planted,)
        return _run_planted(names, arguments.seed, folder)
    faults = tuple(arguments.only or CATALOGUE)
    options = Options(
        seed=arguments.seed,
        seconds=arguments.seconds,
        folder=folder,
        faults=faults,
        upgrades=not arguments.no_upgrades,
    )
    verdict = run(options, _say)
    _report(verdict)
    _say(f"seed {arguments.seed}: {'sound' if verdict.sound else 'NOT SOUND'}; history and logs in {folder}")
    return 0 if verdict.sound else 1


def _run_planted(names: Sequence[str], seed: int, folder: Path) -> int:
    rows = []
    for name in names:
        began = time.monotonic()
        verdict = run(planted_options(name, seed, folder / name), _say)
        caught = ", ".join(check for check in PLANTED[name].caught_by if check in verdict.violations)
        rows.append((name, caught or "NOTHING", f"{time.monotonic() - began:.0f} s"))
        _say(f"{name}: caught by {caught or 'NOTHING'}")
    width = max(len(name) for name in names)
    _say("\n".join(f"{name:<{width}}  {seconds:>6}  {caught}" for name, caught, seconds in rows))
    return 1 if any(caught == "NOTHING" for _, caught, _ in rows) else 0


def _report(verdict: Verdict) -> None:
    for kind, count in sorted(verdict.operations.items()):
        _say(f"{count:7} {kind}")
    for kind, count in sorted(verdict.faults.items()):
        _say(f"{count:7} faults: {kind}")
    for step, count in sorted(verdict.upgrades.items()):
        _say(f"{count:7} upgrades: {step}")
    total, calm = sum(verdict.faults.values()), verdict.longest_calm_seconds
    _say(f"{total:7} faults in all; the longest calm took {calm:.0f} s")
    for check, violations in verdict.violations.items():
        _say(f"{check}: {len(violations)} violations")
        for violation in violations[:_SHOWN]:
            _say(f"    {violation}")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
