"""Python's garbage collector, paused where all that is made will stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Modules and vocabularies are many objects; to walk over them again and again while they
    are made, and to find none that could go, is a fifth of a start."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
