"""The Django side: what is stored, how it changes, and the HTTP API in front of it."""
