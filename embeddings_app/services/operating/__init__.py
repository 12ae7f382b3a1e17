"""What an operator sees of the whole service: readiness, traffic, state."""
