"""The command `embsearch`. It needs nothing beyond the standard library and the client."""
