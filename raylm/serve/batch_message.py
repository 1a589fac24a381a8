"""A batch as bytes: the four sizes, then its arrays end to end, all int32.

Shapes: N tokens, S sequences, B blocks of the longest, R rows whose logits are wanted.
"""

import torch

from raylm.infer.batch import Batch

_SIZES = 4


def encode(batch: Batch) -> bytes:
    """A batch all of whose tokens are known."""
    sequences, blocks = batch.block_tables_SB.shape
    sizes = [len(batch.tokens_N), sequences, blocks, len(batch.logit_rows_R)]
    arrays = [
        torch.tensor(sizes, dtype=torch.int32),
        batch.tokens_N,
        batch.positions_N,
        batch.sequence_starts_S1,
        batch.block_tables_SB.flatten(),
        batch.logit_rows_R,
    ]
    return torch.cat(arrays).numpy().tobytes()


def decode(message: bytearray) -> Batch:
    """Its arrays are views of the message."""
    numbers = torch.frombuffer(message, dtype=torch.int32)
    tokens, sequences, blocks, rows = numbers[:_SIZES].tolist()
    lengths = [tokens, tokens, sequences + 1, sequences * blocks, rows]
    tokens_N, positions_N, starts_S1, tables, rows_R = torch.split(numbers[_SIZES:], lengths)
    return Batch(
        tokens_N=tokens_N,
        positions_N=positions_N,
        sequence_starts_S1=starts_S1,
        block_tables_SB=tables.view(sequences, blocks),
        logit_rows_R=rows_R,
    )
