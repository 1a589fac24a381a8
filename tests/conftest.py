"""Properties are judged by what they find, not by how fast a busy machine finds it. Without a GPU,
Triton's kernels are judged as Python (set before they are imported)."""

import os

import torch
from hypothesis import settings

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")
settings.register_profile("raylm", deadline=None)
settings.load_profile("raylm")
