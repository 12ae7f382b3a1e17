"""One module for each name of `python -m benchmarks`; each has a function `measure` that returns figures."""
