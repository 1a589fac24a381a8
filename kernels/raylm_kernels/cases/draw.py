"""Random tensors to call ops with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Arguments = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Draw:
    """The same for the same seed."""

    device: torch.device
    dtype: torch.dtype
    generator: torch.Generator

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        drawn = torch.randn(*shape, generator=self.generator) * scale
        return drawn.to(self.device, self.dtype)

    def integers(self, high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=self.generator).to(self.device)

    def permutation(self, size: int) -> Tensor:
        return torch.randperm(size, generator=self.generator).to(self.device)


Cases = Callable[[Draw], Iterator[Arguments]]
