"""A decode step as one replay of a CUDA graph, instead of hundreds of kernels launched one by one.

Shapes: S sequences, B blocks of each, D drawn tokens, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from raylm.infer.runners.batch import Batch
from raylm.infer.runners.decode_inputs import DecodeInputs

_FEWEST_BLOCKS = 16  # shorter pasts share a graph
_DRAWN = 256  # at first

Decode = Callable[[DecodeInputs], Tensor]  # to S x V logits


@dataclass(frozen=True, slots=True)
class _Graph:
    graph: torch.cuda.CUDAGraph
    inputs: DecodeInputs
    logits_SV: Tensor


class DecodeGraphs:
    """One graph for each size of batch and of past, both rounded up to a power of two, recorded
    when it is first needed.

    The rows that fill a batch up write to `spare_block`, which no sequence may use.
    """

    def __init__(
        self, decode: Decode, *, block_size: int, spare_block: int, device: torch.device
    ) -> None:
        self._decode = decode
        self._block_size, self._spare_block = block_size, spare_block
        self._device = device
        self._graphs: dict[tuple[int, int], _Graph] = {}
        self._num_drawn = _DRAWN
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def run(self, batch: Batch) -> Tensor:
        """S x V logits of a batch that only decodes; the next run overwrites them."""
        sequences, blocks = batch.block_tables_SB.shape
        size = _round_up(sequences), max(_FEWEST_BLOCKS, _round_up(blocks))
        drawn_D = batch.drawn_ids_D
        if drawn_D is not None and len(drawn_D) > self._num_drawn:
            self._num_drawn = _round_up(len(drawn_D))
            self._graphs.clear()  # they have room for fewer
            self._pool = torch.cuda.graph_pool_handle()  # the old one went with its last graph
        given = DecodeInputs.of(
            batch,
            self._num_drawn,
            *size,
            block_size=self._block_size,
            spare_block=self._spare_block,
        )
        if size not in self._graphs:
            self._graphs[size] = self._record(*size)
        chosen = self._graphs[size]
        if drawn_D is not None:
            chosen.inputs.drawn_D[: len(drawn_D)].copy_(drawn_D)
        chosen.inputs.from_host.copy_(given.from_host, non_blocking=True)
        chosen.graph.replay()
        return chosen.logits_SV[:sequences]

    def _record(self, sequences: int, blocks: int) -> _Graph:
        """Runs first on rows that write to the spare block alone: that loads kernels, takes
        the stream's workspaces and times implementations, none of which a recording may."""
        inputs = DecodeInputs.empty(self._num_drawn, sequences, blocks, self._device)
        inputs.slots_S.fill_(self._spare_block * self._block_size)
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            self._decode(inputs)
        torch.cuda.current_stream(self._device).wait_stream(self._stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            logits_SV = self._decode(inputs)
        return _Graph(graph, inputs, logits_SV)


def _round_up(count: int) -> int:
    """To a power of two."""
    return 1 << (count - 1).bit_length()
