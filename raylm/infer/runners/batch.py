"""A plan as the flat ragged arrays a runner takes.

Shapes: N tokens of all sequences end to end, S sequences, R rows whose logits (of who is pooled:
hidden states) are wanted, B blocks of the longest sequence, D tokens drawn in the step before.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from raylm.infer.scheduling.request import PLACEHOLDER, Request
from raylm.infer.scheduling.scheduler import Plan


@dataclass(frozen=True, slots=True)
class Drawn:
    """The tokens that a step has drawn, on the runner's device and perhaps still to be computed,
    and which of them is whose."""

    ids_D: Tensor
    rows: Mapping[Request, int]


@dataclass(frozen=True, slots=True)
class Batch:
    """All int32 on the CPU. Sequence s owns the tokens `sequence_starts[s]` to `[s + 1]`;
    its row of `block_tables` is padded with 0, which nothing reads.

    The token -1 - d stands for `drawn_ids_D[d]`, which only the runner's device knows.
    """

    tokens_N: Tensor
    positions_N: Tensor
    sequence_starts_S1: Tensor
    block_tables_SB: Tensor
    logit_rows_R: Tensor
    drawn_ids_D: Tensor | None = None

    @classmethod
    def of(cls, plan: Plan, drawn: Drawn | None = None) -> "Batch":
        tokens: list[int] = []
        positions: list[int] = []
        starts = [0]
        logit_rows: list[int] = []
        for chunk in plan.chunks:
            end = chunk.start + chunk.length
            tokens += chunk.request.token_ids[chunk.start : end]
            if drawn is not None and tokens[-1] == PLACEHOLDER:
                tokens[-1] = -1 - drawn.rows[chunk.request]
            if chunk.request.pooled:
                logit_rows += range(starts[-1], len(tokens))
            elif chunk.samples:
                last = len(tokens) - 1
                logit_rows += range(last, last + 1 + len(chunk.guesses))
            tokens += chunk.guesses
            positions += range(chunk.start, end + len(chunk.guesses))
            starts.append(len(tokens))
        tables = [chunk.request.blocks for chunk in plan.chunks]
        longest = max(map(len, tables))
        padded = [table + [0] * (longest - len(table)) for table in tables]
        return cls(
            _int32(tokens),
            _int32(positions),
            _int32(starts),
            _int32(padded),
            _int32(logit_rows),
            None if drawn is None else drawn.ids_D,
        )

    @property
    def decodes_only(self) -> bool:
        """One token of every sequence, each with its logits."""
        sequences = len(self.sequence_starts_S1) - 1
        return len(self.tokens_N) == len(self.logit_rows_R) == sequences


def _int32(values: list[int] | list[list[int]]) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.int32))  # a fifth of torch.tensor's time


def known_tokens(tokens: Tensor, drawn_ids_D: Tensor | None) -> Tensor:
    """With each reference to a drawn token replaced by it, on the device of both."""
    if drawn_ids_D is None:
        return tokens
    drawn = drawn_ids_D[(-1 - tokens).clamp_min(0)]
    return torch.where(tokens < 0, drawn.to(tokens.dtype), tokens)
