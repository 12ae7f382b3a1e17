"""The contracts of all roles: limits, errors, keys, vectors, filters, hits and messages.

Standard library, numpy and msgpack only.
"""
