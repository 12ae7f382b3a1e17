"""Documents written, deleted, read, and waited for."""
