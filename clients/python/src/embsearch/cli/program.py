"""Runs a command and says by its exit code what came of it."""

import os
import sys
from collections.abc import Sequence

from embsearch.cli.arguments import parser
from embsearch.cli.console import Console, dumped
from embsearch.client import Client
from embsearch.errors import ApiError, EmbsearchError, Unavailable

DONE, REFUSED, NOT_MEANT, NOT_REACHED, INTERRUPTED = 0, 1, 2, 3, 130
RETRIES = 2
"""Somebody waits at a terminal. A load has a patience of its own."""


def run() -> None:
    """The entry point of the command."""
    sys.exit(main(sys.argv[1:], Console()))


def main(words: Sequence[str], console: Console) -> int:
    """argparse raises SystemExit for words that it does not know."""
    arguments = parser().parse_args(words)
    console.as_json = arguments.json
    try:
        with Client(arguments.url, api_key=arguments.api_key, retries=RETRIES, transport=console.transport) as client:
            code: int = arguments.does(client, arguments, console)
            return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Who reads has seen enough, as in `embsearch export | head`. Nothing more can be written, also not at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except ApiError as error:
        console.say(dumped({"error": error}) if console.as_json else f"embsearch: {error}")
        return NOT_REACHED if isinstance(error, Unavailable) else REFUSED
    except EmbsearchError as error:
        return _complain(console, "unreachable", error, NOT_REACHED)
    except (OSError, ValueError) as error:
        return _complain(console, "invalid_command", error, NOT_MEANT)


def _complain(console: Console, code: str, error: Exception, status: int) -> int:
    said = {"error": {"code": code, "message": str(error)}}
    console.say(dumped(said) if console.as_json else f"embsearch: {error}")
    return status
