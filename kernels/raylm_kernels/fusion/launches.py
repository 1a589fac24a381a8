"""What a call launches, and the bytes it reads and writes, as the operators under autograd tell."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
_SILENT = (
    aten._local_scalar_dense.default,
    aten._unsafe_view.default,
    aten.empty.memory_format,
    aten.empty_like.default,
    aten.empty_strided.default,
    aten.lift_fresh.default,
    aten.new_empty.default,
)
"""Neither views by their schema, nor kernels."""
_PICKING = (
    aten.embedding.default,
    aten.gather.default,
    aten.index.Tensor,
    aten.index_select.default,
)
"""Read no more than they give."""


@dataclass(frozen=True)
class Cost:
    """`launches`: operators that are no views. `moved_bytes`: of what they take and give, once for
    each operator; what an operator holds inside is not seen."""

    launches: int = 0
    moved_bytes: int = 0


def cost(call: Callable[[], Any]) -> Cost:
    counter = _Counter()
    with torch.no_grad(), counter:
        call()
    return Cost(counter.launches, counter.moved_bytes)


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.launches = self.moved_bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        if func not in _SILENT and not _is_view(func):
            self.launches += 1
            given, taken = _tensors(results), _tensors((args, kwargs))
            if func in _PICKING:
                taken = [*taken[1:], *given]
            self.moved_bytes += sum(map(_held_bytes, given)) + sum(map(_held_bytes, taken))
        return results


def _is_view(func: Any) -> bool:
    return any(one.alias_info is not None and not one.alias_info.is_write for one in _returns(func))


def _returns(func: Any) -> list[Any]:
    return list(func._schema.returns)


def _tensors(tree: Any) -> list[Tensor]:
    found = {id(one): one for one in pytree.tree_leaves(tree) if isinstance(one, Tensor)}
    return list(found.values())


def _held_bytes(tensor: Tensor) -> int:
    """Once what is repeated by a stride of 0."""
    sizes = [s for s, step in zip(tensor.shape, tensor.stride(), strict=True) if step or not s]
    return int(torch.Size(sizes).numel()) * tensor.element_size()
