"""What a search costs a node, estimated before it runs: microseconds of one thread, by the sizes of what it reads.

The sender decides by it what travels together and what alone, a node what it hands back. The constants are measured by
`python -m benchmarks search_costs`, here on two cores that other work kept busy as well; on another machine all of them
change together.
"""

LIGHT_UNBUILT = 65_536
"""Documents of a namespace in no graph with which a replica is still fast: 20 ms for a query."""
LIGHT_UNBUILT_SHARE = 0.2
"""Or this share of all documents of the replica."""
_WALK = 2.5
"""A unit of ef, in a graph of vectors with 384 numbers."""
_WALK_NUMBERS = 384
_ROW = 0.06
_NUMBER = 0.00027
"""A number of a row that is read: memory is what a scan waits for."""
_CODE = 0.04
"""A row of 384 numbers that is compared by a bit a number, with what it takes to find the row."""
_TEST = 0.003
"""A condition, for each document that it is tested on. To choose the rows of these documents costs two more."""
_CHOICE = 2
_HIT = 2.0
"""A hit: it is compared once more in double precision, sent and read."""


def walk_microseconds(ef: int, dimension: int) -> float:
    """Of one graph, with so many candidates."""
    return _WALK * ef * max(1.0, dimension / _WALK_NUMBERS)


def scan_microseconds(rows: int, dimension: int) -> float:
    """Of comparing a query with so many vectors."""
    return rows * (_ROW + _NUMBER * dimension)


def codes_microseconds(rows: int, dimension: int) -> float:
    """Of comparing a query with so many vectors by their codes."""
    return _CODE * rows * max(1.0, dimension / _WALK_NUMBERS)


def filter_microseconds(documents: int, conditions: int) -> float:
    """Of testing so many documents on the conditions of a filter, and of choosing their rows."""
    return _TEST * documents * (conditions + _CHOICE)


def hits_microseconds(hits: int) -> float:
    return _HIT * hits
