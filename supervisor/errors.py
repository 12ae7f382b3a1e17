"""What stops a start, in words for the person at the terminal."""

from collections.abc import Callable

from embedding_project.config import ConfigError


class StartError(Exception):
    """The instance cannot start or has to stop; the message says why and what to do."""


class NotAnswering(StartError):
    """A server does not answer; one that was just started may a moment later."""


class Stopped(Exception):
    """Somebody asked the instance to stop while it was still doing something."""


def exit_code(run: Callable[[], int], say: Callable[[str], None]) -> int:
    """The code that `run` gives; 2 for a wrong setting and 1 for another failure, of which `say` gets a line."""
    try:
        return run()
    except ConfigError as error:
        say(str(error))
        return 2
    except (StartError, OSError) as error:
        say(f"error: {error}")
        return 1
