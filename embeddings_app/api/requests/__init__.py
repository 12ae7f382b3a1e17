"""Strict decoding of requests for the services: exact types, no unknown fields, every field with its path."""
