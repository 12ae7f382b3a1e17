"""Starts, watches and stops one whole instance: Postgres, two Redis, and every role of the service."""
