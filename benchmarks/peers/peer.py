"""What is asked of every peer, and what is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """How each engine is asked."""

    top_k: int
    crowd: int
    """Clients of the second point; the first has one."""
    seconds: int
    """Length of a point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFigures:
    recall: float
    build_rate: float
    """Vectors a second, from the first one sent to the finished index."""
    p50_ms: float
    """One client."""
    p99_ms: float
    crowd_rate: float
    """Searches a second with many clients."""
    crowd_p99_ms: float
    setting: str
