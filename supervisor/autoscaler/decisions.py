"""How many embedders there should be: a pure function of what is read, what was read before, and the rules."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    fewest: int
    most: int
    """Embedders of this autoscaler."""
    up_seconds: float
    """A backlog above this is pressure; so is a request that is refused."""
    up_after_seconds: float
    """Pressure must last so long before an embedder is started."""
    down_seconds: float
    """A backlog below this is quiet. Between the two nothing changes."""
    down_after_seconds: float
    """Quiet must last so long before one is stopped."""
    pause_seconds: float
    """At least this passes between two changes: a new embedder has to load its model before it helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is known at one moment."""

    at: float
    """Of a clock that only goes forward."""
    backlog_seconds: float | None
    """Of all lanes together; None when nobody knows."""
    refusing: bool
    """Whether requests are refused for load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is remembered from one reading to the next."""

    wanted: int
    pressed_since: float | None = None
    quiet_since: float | None = None
    changed_at: float = float("-inf")


def decide(rules: Rules, state: State, reading: Reading) -> State:
    """The state after `reading`; `wanted` says how many embedders there should be from now on."""
    backlog = reading.backlog_seconds
    pressed = reading.refusing or (backlog is not None and backlog > rules.up_seconds)
    quiet = not reading.refusing and backlog is not None and backlog < rules.down_seconds
    state = replace(
        state,
        pressed_since=_since(state.pressed_since, reading.at, holds=pressed),
        quiet_since=_since(state.quiet_since, reading.at, holds=quiet),
    )
    wanted = min(max(_next(rules, state, reading.at), rules.fewest), rules.most)
    if wanted == state.wanted:
        return state
    # Each change begins a new observation, of a service that is another one now.
    return State(wanted=wanted, changed_at=reading.at)


def _since(before: float | None, now: float, *, holds: bool) -> float | None:
    if not holds:
        return None
    return now if before is None else before


def _next(rules: Rules, state: State, now: float) -> int:
    if now - state.changed_at < rules.pause_seconds:
        return state.wanted
    if state.pressed_since is not None and now - state.pressed_since >= rules.up_after_seconds:
        return state.wanted + 1
    if state.quiet_since is not None and now - state.quiet_since >= rules.down_after_seconds:
        return state.wanted - 1
    return state.wanted
