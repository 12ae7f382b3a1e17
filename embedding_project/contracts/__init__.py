"""What all roles agree on: limits, errors, keys, vectors, filters, hits and messages.

Standard library, numpy and msgpack only.
"""
