"""Numbers with what they count, as people say them."""


def plural(number: int, one: str, many: str = "") -> str:
    """ "1 document", "1,000 documents"; `many` where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
