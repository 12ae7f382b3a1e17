"""What the tests of this folder share: the code and field of a refusal."""

from collections.abc import Callable

import pytest

from embedding_project.contracts.errors import ServiceError


def refusal(act: Callable[[], object]) -> tuple[str, str | None]:
    with pytest.raises(ServiceError) as caught:
        act()
    return caught.value.code, caught.value.field
