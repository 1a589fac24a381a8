"""Files of weights, told from all that were ever at their places, without a read of them."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path


def fingerprint(files: Iterable[Path]) -> str | None:
    """Place, size and times of the files, and the code that reads them. None where one is missing.

    To be taken before they are opened. No two contents of a place share one: every write and
    every replacement of a file sets the time of its last change, which no program can choose.
    """
    try:
        places = [(file.resolve(), file.stat()) for file in files]
    except OSError:
        return None
    known = [(str(path), s.st_size, s.st_mtime_ns, s.st_ctime_ns) for path, s in places]
    return hashlib.sha256(repr((known, _code_digest())).encode()).hexdigest()


@cache
def _code_digest() -> str:
    """A correction of how weights are read must not be hidden by what was kept before it."""
    modules = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"\0".join(module.read_bytes() for module in modules)).hexdigest()
