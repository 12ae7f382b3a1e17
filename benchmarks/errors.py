"""What ends a measurement."""


class BenchmarkError(Exception):
    """A measurement could not be made, or what it measured gave wrong answers."""
