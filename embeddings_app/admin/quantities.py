"""Sizes and times in words."""

_SIZES = ("bytes", "KiB", "MiB", "GiB", "TiB")
_TIMES = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))


def size(count: float) -> str:
    """Bytes in the largest unit of which there is at least one."""
    amount, unit = float(count), 0
    while amount >= 1024 and unit < len(_SIZES) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:,.0f} {_SIZES[unit]}" if unit == 0 or amount >= 100 else f"{amount:.1f} {_SIZES[unit]}"


def duration(seconds: float) -> str:
    """Two units at most: 45 s, 12 min 5 s, 3 h 5 min, 2 d 4 h."""
    whole = round(seconds)
    for large, large_name, small, small_name in _TIMES:
        if whole >= large:
            rest = whole % large // small
            return f"{whole // large} {large_name}" + (f" {rest} {small_name}" if rest else "")
    return f"{whole} s"


def about(seconds: float) -> str:
    """A time that is only expected: from two minutes on without seconds."""
    if seconds < 1:
        return "under 1 s"
    return f"about {duration(seconds if seconds < 120 else 60 * round(seconds / 60))}"
