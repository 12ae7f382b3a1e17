"""The HTTP API: JSON in, one service call, JSON out. Decisions are made in `services`."""
