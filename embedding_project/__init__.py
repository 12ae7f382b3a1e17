"""What every role shares: configuration, Celery apps, dispatch, and the contracts between the roles."""

VERSION = "0.1.0"
"""Of the whole project, as pyproject.toml has it."""
