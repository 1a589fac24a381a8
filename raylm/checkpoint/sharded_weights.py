"""A model's weights in the shards of a checkpoint."""

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
        is_bfloat16 = self._index.dtype(PARAM, name) is torch.bfloat16
        return self._index.read(PARAM, name, torch.bfloat16 if is_bfloat16 else torch.float32)
