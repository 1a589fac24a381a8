"""A plan as the flat ragged arrays a runner takes.

Shapes: N tokens of all sequences end to end, S sequences, R rows whose logits are wanted,
B blocks of the longest sequence.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from raylm.infer.scheduler import Plan


@dataclass(frozen=True, slots=True)
class Batch:
    """All int32 on the CPU. Sequence s owns the tokens `sequence_starts[s]` to `[s + 1]`;
    its row of `block_tables` is padded with 0, which nothing reads."""

    tokens_N: Tensor
    positions_N: Tensor
    sequence_starts_S1: Tensor
    block_tables_SB: Tensor
    logit_rows_R: Tensor

    @classmethod
    def of(cls, plan: Plan) -> "Batch":
        tokens: list[int] = []
        positions: list[int] = []
        starts = [0]
        logit_rows = []
        for chunk in plan.chunks:
            end = chunk.start + chunk.length
            tokens += chunk.request.token_ids[chunk.start : end]
            positions += range(chunk.start, end)
            starts.append(len(tokens))
            if chunk.samples:
                logit_rows.append(len(tokens) - 1)
        tables = [chunk.request.blocks for chunk in plan.chunks]
        longest = max(map(len, tables))
        padded = [table + [0] * (longest - len(table)) for table in tables]
        return cls(*(_int32(part) for part in (tokens, positions, starts, padded, logit_rows)))


def _int32(values: list[int] | list[list[int]]) -> Tensor:
    return torch.tensor(values, dtype=torch.int32)
