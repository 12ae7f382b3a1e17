"""python -m embsearch"""

from embsearch.cli.program import run

if __name__ == "__main__":
    run()
