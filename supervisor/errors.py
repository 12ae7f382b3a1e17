"""What stops a start, in words for the person at the terminal."""


class StartError(Exception):
    """The instance cannot start or has to stop; the message says why and what to do."""


class NotAnswering(StartError):
    """A server does not answer; one that was just started may a moment later."""


class Stopped(Exception):
    """Somebody asked the instance to stop while it was still doing something."""
