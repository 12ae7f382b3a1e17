"""Patterns of names that several roles check."""

from embedding_project.contracts.limits import MAX_NAMESPACE_LENGTH

NAMESPACE_PATTERN = rf"^[a-z0-9][a-z0-9_-]{{0,{MAX_NAMESPACE_LENGTH - 1}}}$"
