"""A model's weights in the shards of a checkpoint."""

import math

import torch
from torch import Tensor

from raylm.checkpoint.shard_index import ShardIndex
from raylm.models.weights import Weights

PARAM = "param"


class ShardedWeights(Weights):
    """bfloat16 stays so, every other float becomes float32."""

    def __init__(self, index: ShardIndex) -> None:
        shapes = {name: index.shape(PARAM, name) for name in index.names(PARAM)}
        super().__init__(shapes, index.fingerprint)
        self._index = index

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.shapes:
            raise KeyError(name)
        return self._index.read(PARAM, name, self._dtype(name))

    def part(self, name: str, rows: slice, columns: slice) -> Tensor:
        """Whole rows are read, whichever columns are wanted: shards are intervals of elements."""
        height, *rest = self.shapes[name]
        wanted = range(height)[rows]
        width = math.prod(rest)
        part = torch.empty(len(wanted), *rest, dtype=self._dtype(name))
        elements = range(wanted.start * width, wanted.stop * width)
        self._index.read_into(PARAM, name, elements, part.view(-1))
        return part[:, columns].contiguous() if rest else part

    def _dtype(self, name: str) -> torch.dtype:
        is_bfloat16 = self._index.dtype(PARAM, name) is torch.bfloat16
        return torch.bfloat16 if is_bfloat16 else torch.float32
