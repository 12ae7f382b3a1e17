"""Errors of the database in words that may be shown and logged: their messages may quote rows."""

import psycopg

from embedding_project.contracts.errors import ServiceError


def fault_name(error: BaseException) -> str:
    """The class of the error and, where Django hides it behind its own, what Postgres or the driver calls it; the code
    of an error of the service."""
    if isinstance(error, ServiceError):
        return error.code
    name, cause = type(error).__name__, error.__cause__
    if isinstance(cause, psycopg.Error) and type(cause).__name__ != name:
        return f"{name}: {type(cause).__name__}"
    return name
