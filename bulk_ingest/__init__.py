"""Bulk ingestion: files of documents, with their vectors or with texts to embed, loaded past the online path by binary
COPY.

`job.py` leads a job through its stages, in `python -m bulk_ingest`; its tasks run in processes of their own.
"""
