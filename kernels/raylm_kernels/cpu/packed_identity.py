"""What packed weights depend on, as a name for them."""

import hashlib
import sys
from dataclasses import fields
from functools import cache
from pathlib import Path

import torch

from raylm_kernels.cpu.dims import DecoderDims
from raylm_kernels.quantize import WeightBits

# A change of how weights are rounded or placed must not be hidden by a file from before.
_PACKING = (
    "quantize.py",
    "cpu/weights.py",
    "cpu/dims.py",
    "cpu/csrc/packed.h",
    "cpu/csrc/packed.cpp",
    "cpu/csrc/decoder.cpp",
)


def identity(
    fingerprint: str, dims: DecoderDims, weight_bits: WeightBits, head_bits: WeightBits
) -> str:
    """`fingerprint` stands for the weights."""
    shape = [getattr(dims, field.name) for field in fields(dims)]
    plain = [value.tolist() if isinstance(value, torch.Tensor) else value for value in shape]
    known = (fingerprint, plain, weight_bits, head_bits, sys.byteorder, _packing_digest())
    return hashlib.sha256(repr(known).encode()).hexdigest()


@cache
def _packing_digest() -> str:
    root = Path(__file__).parents[1]
    return hashlib.sha256(b"\0".join((root / part).read_bytes() for part in _PACKING)).hexdigest()
