"""Ways to turn texts into vectors, behind the one seam of `encoders.base`."""
