"""All that a decode step reads, in one tensor, so that one copy brings it to the device.

Shapes: S sequences, B blocks of each, D tokens drawn in the step before.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from raylm.infer.runners.batch import Batch


@dataclass(frozen=True, slots=True)
class DecodeInputs:
    """Parts of `packed`, int32. All but `drawn_D` is `from_host`. `places_S`: where a sequence's
    token stands among those drawn and, after them, those known to the host; `slots_S`: where its
    keys and values go; `lengths_S`: how many tokens it sees, itself among them."""

    packed: Tensor
    drawn_D: Tensor
    from_host: Tensor
    known_S: Tensor
    places_S: Tensor
    positions_S: Tensor
    slots_S: Tensor
    lengths_S: Tensor
    block_tables_SB: Tensor

    @classmethod
    def empty(cls, num_drawn: int, sequences: int, blocks: int, device: torch.device | str) -> Self:
        """Of rows that see nothing and write to slot 0."""
        sizes = [*[sequences] * 5, sequences * blocks]
        is_pinned = torch.device(device).type == "cpu" and torch.cuda.is_available()
        packed = torch.zeros(
            num_drawn + sum(sizes), dtype=torch.int32, device=device, pin_memory=is_pinned
        )
        from_host = packed[num_drawn:]
        known, places, positions, slots, lengths, tables = torch.split(from_host, sizes)
        tables = tables.view(sequences, blocks)
        drawn_D = packed[:num_drawn]
        return cls(packed, drawn_D, from_host, known, places, positions, slots, lengths, tables)

    @classmethod
    def of(
        cls,
        batch: Batch,
        num_drawn: int,
        sequences: int,
        blocks: int,
        *,
        block_size: int,
        spare_block: int,
    ) -> Self:
        """On the CPU, of a batch that only decodes. The rows that fill it up write to
        `spare_block`, which no sequence may use; `drawn_ids_D` is left out."""
        inputs = cls.empty(num_drawn, sequences, blocks, "cpu")
        found, known_blocks = batch.block_tables_SB.shape
        tokens_S, positions_S = batch.tokens_N, batch.positions_N
        own_S = torch.arange(num_drawn, num_drawn + found, dtype=torch.int32)
        columns_S1 = (positions_S // block_size).long()[:, None]
        blocks_S = batch.block_tables_SB.gather(1, columns_S1)[:, 0]
        inputs.known_S[:found] = tokens_S
        inputs.places_S[:found] = torch.where(tokens_S < 0, -1 - tokens_S, own_S)
        inputs.positions_S[:found] = positions_S
        inputs.slots_S[:found] = blocks_S * block_size + positions_S % block_size
        inputs.slots_S[found:] = spare_block * block_size
        inputs.lengths_S[:found] = positions_S + 1
        inputs.block_tables_SB[:found, :known_blocks] = batch.block_tables_SB
        return inputs

    def tokens(self) -> Tensor:
        """Of each sequence, where `drawn_D` is."""
        return self.packed.index_select(0, self.places_S)
