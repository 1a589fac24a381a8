"""A decode step as one replay of a CUDA graph, instead of hundreds of kernels launched one by one.

Shapes: S sequences, B blocks of each, D drawn tokens, R = S rows of logits, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from raylm.infer.runners.batch import Batch, known_tokens

_FEWEST_BLOCKS = 16  # shorter pasts share a graph
_DRAWN = 256  # at first

# S tokens, their positions and block tables, to the logits of each.
Decode = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class _Graph:
    graph: torch.cuda.CUDAGraph
    inputs: Tensor  # S x (token, position, B blocks), int32
    logits_SV: Tensor


class DecodeGraphs:
    """One graph for each size of batch and of past, both rounded up to a power of two, recorded
    when it is first needed.

    The rows that fill a batch up write to `spare_block`, which no sequence may use.
    """

    def __init__(self, decode: Decode, *, spare_block: int, device: torch.device) -> None:
        self._decode = decode
        self._spare_block = spare_block
        self._device = device
        self._graphs: dict[tuple[int, int], _Graph] = {}
        self._drawn_D = torch.zeros(_DRAWN, dtype=torch.long, device=device)
        self._pool = torch.cuda.graph_pool_handle()

    def run(self, batch: Batch) -> Tensor:
        """R x V logits of a batch that only decodes; the next run overwrites them."""
        sequences, blocks = batch.block_tables_SB.shape
        size = _round_up(sequences), max(_FEWEST_BLOCKS, _round_up(blocks))
        if batch.drawn_ids_D is not None:
            self._keep(batch.drawn_ids_D)
        if size not in self._graphs:
            self._graphs[size] = self._record(*size)
        chosen = self._graphs[size]
        chosen.inputs.copy_(self._padded(batch, *size), non_blocking=True)
        chosen.graph.replay()
        return chosen.logits_SV[:sequences]

    def _keep(self, ids_D: Tensor) -> None:
        """Where every graph reads them from."""
        if len(ids_D) > len(self._drawn_D):
            self._drawn_D = ids_D.new_zeros(_round_up(len(ids_D)))
            self._graphs.clear()  # they read the old ones
        self._drawn_D[: len(ids_D)].copy_(ids_D)

    def _padded(self, batch: Batch, sequences: int, blocks: int) -> Tensor:
        found, known_blocks = batch.block_tables_SB.shape
        inputs = torch.zeros(sequences, 2 + blocks, dtype=torch.int32, pin_memory=True)
        inputs[:found, 0] = batch.tokens_N
        inputs[:found, 1] = batch.positions_N
        inputs[:found, 2 : 2 + known_blocks] = batch.block_tables_SB
        inputs[found:, 2:] = self._spare_block
        return inputs

    def _record(self, sequences: int, blocks: int) -> _Graph:
        inputs = torch.zeros(sequences, 2 + blocks, dtype=torch.int32, device=self._device)
        inputs[:, 2:] = self._spare_block

        def run() -> Tensor:
            tokens_S = known_tokens(inputs[:, 0], self._drawn_D)
            return self._decode(tokens_S, inputs[:, 1].long(), inputs[:, 2:].long())

        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            run()  # loads kernels and takes workspaces, which a recording may not
        torch.cuda.current_stream(self._device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            logits_SV = run()
        return _Graph(graph, inputs, logits_SV)


def _round_up(count: int) -> int:
    """To a power of two."""
    return 1 << (count - 1).bit_length()
