"""How long to wait before a process that died is started again: 0.2 s, doubled at every death in a row up to 10 s."""

_FIRST_SECONDS = 0.2
_LONGEST_SECONDS = 10.0
_FORGIVEN_AFTER_SECONDS = 30.0
"""After a life of this length the count of deaths begins again."""


def deaths_in_a_row(before: int, lived_seconds: float) -> int:
    """The count after one more death."""
    return 1 if lived_seconds >= _FORGIVEN_AFTER_SECONDS else before + 1


def delay(deaths: int) -> float:
    """Seconds to wait after that many deaths in a row."""
    return float(min(_LONGEST_SECONDS, _FIRST_SECONDS * 2 ** min(deaths - 1, 32)))
