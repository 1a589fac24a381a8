"""A row of the table: an op at one size, what it must move and compute, and what it must reach."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

Arguments = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Draw:
    """Random tensors made where they are used; on "meta" they have shapes alone."""

    device: torch.device

    def normal(
        self, *shape: int, scale: float = 1.0, dtype: torch.dtype = torch.bfloat16
    ) -> Tensor:
        return torch.randn(shape, dtype=dtype, device=self.device).mul_(scale)

    def integers(self, high: int, *shape: int, dtype: torch.dtype = torch.int64) -> Tensor:
        return torch.randint(high, shape, dtype=dtype, device=self.device)

    def permutation(self, size: int) -> Tensor:
        if self.device.type == "meta":
            return self.integers(size, size)
        return torch.randperm(size, device=self.device)


@dataclass(frozen=True, slots=True)
class Row:
    """`shape`: the size as people read it. `nbytes`: the least bytes moved; `flops`: the
    operations of its products. `of_copy`: the least part of the rate of a copy, `of_matmul`: of a
    large bf16 product's rate. `rivals`: others that compute the same from the same arguments,
    `times`: how many times as fast as a rival it must be. `is_checked`: compared with the
    reference, which must fit into memory. `implementation`: the one that is measured.
    """

    op: str
    shape: str
    arguments: Callable[[Draw], Arguments]
    nbytes: int = 0
    flops: int = 0
    of_copy: float | None = None
    of_matmul: float | None = None
    rivals: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    times: Mapping[str, float] = field(default_factory=dict)
    is_checked: bool = True
    implementation: str = "triton"

    @property
    def name(self) -> str:
        return name_of(self.op, self.shape, self.implementation)

    def bars(self) -> str:
        told = []
        if self.of_copy is not None:
            told.append(f">= {self.of_copy:.2f} of copy")
        if self.of_matmul is not None:
            told.append(f">= {self.of_matmul:.2f} of matmul")
        told += [f">= {least:.2f} x {rival}" for rival, least in self.times.items()]
        return ", ".join(told) or "no bar"


def name_of(op: str, shape: str, implementation: str = "triton") -> str:
    return f"{op} {shape}" + (f" by {implementation}" if implementation != "triton" else "")


Rows = Sequence[Row]
