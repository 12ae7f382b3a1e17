"""Pending documents to vectors in the log: hints, claims, retries, trimming."""
