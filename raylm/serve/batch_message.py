"""A batch as bytes: what is asked of it, its sizes, then its arrays end to end, all int32.

Shapes: N tokens, S sequences, B blocks of the longest, R rows whose logits are wanted.
"""

import torch

from raylm.infer.runners.batch import Batch

_HEAD = 5


def encode(batch: Batch, *, wants_logits: bool) -> bytes:
    """A batch all of whose tokens are known; of its logits all are wanted, or the largest."""
    sequences, blocks = batch.block_tables_SB.shape
    head = [wants_logits, len(batch.tokens_N), sequences, blocks, len(batch.logit_rows_R)]
    arrays = [
        torch.tensor(head, dtype=torch.int32),
        batch.tokens_N,
        batch.positions_N,
        batch.sequence_starts_S1,
        batch.block_tables_SB.flatten(),
        batch.logit_rows_R,
    ]
    return torch.cat(arrays).numpy().tobytes()


def decode(message: bytearray) -> tuple[Batch, bool]:
    """And whether all logits are wanted. The arrays are views of the message."""
    numbers = torch.frombuffer(message, dtype=torch.int32)
    wants_logits, tokens, sequences, blocks, rows = numbers[:_HEAD].tolist()
    lengths = [tokens, tokens, sequences + 1, sequences * blocks, rows]
    tokens_N, positions_N, starts_S1, tables, rows_R = torch.split(numbers[_HEAD:], lengths)
    batch = Batch(
        tokens_N=tokens_N,
        positions_N=positions_N,
        sequence_starts_S1=starts_S1,
        block_tables_SB=tables.view(sequences, blocks),
        logit_rows_R=rows_R,
    )
    return batch, bool(wants_logits)
