"""The commands of the demo: what ends it, and what only ends the load."""

from collections.abc import Sequence

import pytest

from bulk_ingest import leading
from supervisor import demo

COMMANDS = (("write",), ("load",), ("search",))


@pytest.mark.parametrize(
    ("code_of_load", "expected", "ran"),
    [
        (leading.DONE, demo.LOADED, 3),
        (leading.DONE_WITH_REJECTS, demo.LOADED, 3),
        (leading.PAUSED, demo.PAUSED, 2),
        (leading.FAILED, leading.FAILED, 2),
    ],
)
def test_a_load_that_is_paused_or_fails_is_the_last_command(code_of_load: int, expected: int, ran: int) -> None:
    seen: list[str] = []

    def run(command: Sequence[str]) -> int:
        seen.extend(command)
        return code_of_load if command == ("load",) else 0

    assert demo.loaded(COMMANDS, run) == expected
    assert len(seen) == ran
