"""Bulk ingestion builds segments directly, past the online path.

The package holds its place in the import rules; no engine ships yet.
"""
