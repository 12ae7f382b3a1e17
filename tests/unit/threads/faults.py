"""Faults that tests raise."""


class Panic(BaseException):
    """A fault as the libraries that are written in Rust raise it."""
