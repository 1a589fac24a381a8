"""Shape and dtype of a whole tensor, whichever files its elements are in."""

import math
from collections.abc import Sequence
from typing import Literal, Self, get_args

import torch
from pydantic import NonNegativeInt

from raylm.core.config import Config

DtypeCode = Literal["F64", "F32", "F16", "BF16", "I64", "I32", "U8", "BOOL"]

_DTYPES = (
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
)
_BY_CODE: dict[DtypeCode, torch.dtype] = dict(zip(get_args(DtypeCode), _DTYPES, strict=True))
_CODES = {dtype: code for code, dtype in _BY_CODE.items()}


class TensorRecord(Config):
    """`dtype` is safetensors' name of it."""

    shape: tuple[NonNegativeInt, ...]
    dtype: DtypeCode

    @classmethod
    def of(cls, shape: Sequence[int], dtype: torch.dtype) -> Self:
        """Raises ValueError for a dtype that a checkpoint cannot hold."""
        return cls(shape=tuple(shape), dtype=code_of(dtype))

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    @property
    def torch_dtype(self) -> torch.dtype:
        return _BY_CODE[self.dtype]


def code_of(dtype: torch.dtype) -> DtypeCode:
    if dtype not in _CODES:
        known = ", ".join(str(known).removeprefix("torch.") for known in _CODES)
        raise ValueError(f"a checkpoint cannot hold {dtype}, only {known}")
    return _CODES[dtype]
