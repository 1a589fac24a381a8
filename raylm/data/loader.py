"""Batches for one rank, deterministic and resumable: their whole state is one integer.

That integer is the number of samples the run has consumed, all ranks together. Which
sequence a sample uses follows from it and the seed alone, so that a run of any world size,
resumed or resized at any step, uses every sequence of a pass exactly once.
"""

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from raylm.core.errors import DataError
from raylm.data.order import SampleOrder, shard
from raylm.data.packing import Packing

Batch = tuple[Tensor, Tensor]  # inputs_BT, targets_BT


class Loader:
    def __init__(self, stream: npt.NDArray[np.integer], sequence_length: int, seed: int) -> None:
        self.packing = Packing(len(stream), sequence_length)
        if not self.packing.sequences:
            raise DataError(
                f"{len(stream)} tokens are no training data; data.path must hold more text"
            )
        self._stream = stream
        self._order = SampleOrder(self.packing.sequences, seed)

    def micro_batches(
        self, samples: range, passes: int, without: Collection[int] = ()
    ) -> Iterator[Batch]:
        """The global samples in order, in so many parts of equal size, give or take one.

        Rows that count for nothing stand for samples to do `without`, and for a part of none.
        """
        for number in range(passes):
            part = shard(samples, number, passes)
            sequences = [None if s in without else self._order[s] for s in part]
            yield gather(self._stream, self.packing, sequences or [None])


def gather(
    stream: npt.NDArray[np.integer], packing: Packing, sequences: Sequence[int | None]
) -> Batch:
    pairs = [packing.blank() if s is None else packing.cut(stream, s) for s in sequences]
    inputs, targets = (torch.from_numpy(np.stack(side)) for side in zip(*pairs, strict=True))
    return inputs, targets
