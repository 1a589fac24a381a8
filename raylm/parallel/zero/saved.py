"""Autograd's saved tensors that are views of sharded parameters, fetched when they are used.

Saved tensors keep a reference to their memory, which is empty between forward and backward.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from raylm.parallel.zero.eager import eager
from raylm.parallel.zero.flat import Flat
from raylm.parallel.zero.residency import Residency


class SavedParameters:
    def __init__(self, flats: Sequence[Flat], residency: Residency) -> None:
        self._residency = residency
        sharded = [flat for flat in flats if not flat.is_whole]
        self._by_storage = {flat.full.untyped_storage()._cdata: flat for flat in sharded}

    def __bool__(self) -> bool:
        """Whether there is anything to watch for."""
        return bool(self._by_storage)

    def hooks(self) -> saved_tensors_hooks:
        return saved_tensors_hooks(self._pack, self._unpack)

    @eager
    def _pack(self, tensor: Tensor) -> Any:
        flat = self._by_storage.get(tensor.untyped_storage()._cdata)
        return tensor if flat is None else (flat, tensor)

    @eager
    def _unpack(self, packed: Any) -> Tensor:
        if isinstance(packed, Tensor):
            return packed
        flat, tensor = packed
        self._residency.fetch(flat)
        held: Tensor = tensor
        return held
