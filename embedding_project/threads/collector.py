"""The cyclic garbage collector, told to leave alone what a process holds for good.

A full collection looks at every object there is. After the imports of a role that takes a tenth of a second, in which
no thread of the process runs, and under load one came every two seconds: it was the tail of every latency.
"""

import gc

_YOUNG_OBJECTS = 10_000
"""Collections begin after so many more objects, instead of 700: hot paths leave no cycles behind, so there is little to
find."""


def spare_startup_objects() -> None:
    """Collect once, then never look again at what is left: for the end of a start. Again, it adds what is new."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])
