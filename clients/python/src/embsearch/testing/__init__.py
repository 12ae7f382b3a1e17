"""A double of the service for tests of programs that use it: see embsearch.testing.server."""

from embsearch.testing.server import FakeServer

__all__ = ["FakeServer"]
