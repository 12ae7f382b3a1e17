"""Ways to turn texts into vectors, behind the one interface of `encoders.base`."""
