"""Bulk jobs as operators see them, and the parts of their work that belong to the documents."""
