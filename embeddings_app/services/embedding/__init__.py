"""Texts to vectors: caches, single flight, admission, the gateway to the embedders."""
