"""`python -m benchmarks`: every benchmark that needs no GPU, one after the other."""

import importlib

from benchmarks.catalog import MODULES

for module in MODULES:
    print(f"\n== {module}", flush=True)
    importlib.import_module(module).main()
