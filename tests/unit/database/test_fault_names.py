"""What is shown of a database's error: its kind, never its message."""

import psycopg
import pytest
from django.db import OperationalError
from psycopg.errors import QueryCanceled

from embeddings_app.database.fault_names import fault_name


def raised(cause: Exception | None) -> Exception:
    with pytest.raises(OperationalError) as caught:
        raise OperationalError("a row of a user") from cause
    return caught.value


@pytest.mark.parametrize(
    ("cause", "name"),
    [
        (QueryCanceled("a row of a user"), "OperationalError: QueryCanceled"),
        (psycopg.OperationalError("a row of a user"), "OperationalError"),
        (ValueError("a row of a user"), "OperationalError"),
        (None, "OperationalError"),
    ],
)
def test_the_name_tells_what_postgres_said(cause: Exception | None, name: str) -> None:
    assert fault_name(raised(cause)) == name
