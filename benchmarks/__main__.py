"""`python -m benchmarks [NAME ...]`: every benchmark that needs no GPU in turn, or those named."""

import importlib
import sys
from collections.abc import Sequence

from benchmarks.catalog import MODULES, by_name


def chosen(names: Sequence[str]) -> Sequence[str]:
    """Exits where there is none of a name."""
    modules = by_name()
    if unknown := [name for name in names if name not in modules]:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(sorted(modules))}")
    return [modules[name] for name in names] or MODULES


def main() -> None:
    modules = chosen(sys.argv[1:])
    sys.argv = sys.argv[:1]  # each has options of its own
    for module in modules:
        print(f"\n== {module}", flush=True)
        importlib.import_module(module).main()


if __name__ == "__main__":
    main()
