"""Measurements of a running instance, beside its peers, as `python -m benchmarks [NAME ...]`.

Nothing here is imported by the service. Every measurement starts an instance of its own, in a directory of its own.
"""
