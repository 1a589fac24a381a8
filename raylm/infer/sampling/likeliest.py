"""What a greedy step asks of logits. Shapes: R rows, V vocabulary."""

from typing import NamedTuple, Self

from torch import Tensor


class Likeliest(NamedTuple):
    """Of each row of logits the largest, and its token."""

    logits_R: Tensor
    ids_R: Tensor

    @classmethod
    def of(cls, logits_RV: Tensor) -> Self:
        return cls(*logits_RV.max(dim=-1))
