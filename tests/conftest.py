"""Properties are judged by what they find, not by how fast a busy machine finds it. Without a GPU,
Triton's kernels are judged as Python (set before they are imported)."""

import os
from collections import Counter

import pytest
import torch
from hypothesis import settings

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")
settings.register_profile("raylm", deadline=None)
settings.load_profile("raylm")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of tests that share a name pytest-xdist runs one, and says nothing."""
    counts = Counter(item.nodeid for item in items)
    if doubles := [name for name, count in counts.items() if count > 1]:
        raise pytest.UsageError(f"several tests are called {doubles[0]}: give each a name")
