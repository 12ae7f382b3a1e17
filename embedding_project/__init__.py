VERSION = "0.1.0"
"""Of the whole project, as pyproject.toml has it."""
