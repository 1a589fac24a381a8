"""Prompts as vectors: the mean of their hidden states, of length 1.

Shapes: N tokens, E hidden size.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from raylm.infer.runners.batch import Batch
from raylm.infer.runners.runner import Runner
from raylm.infer.scheduling.request import Request
from raylm.infer.scheduling.scheduler import Plan


class Pooling:
    """Hidden states are added up chunk by chunk, since those of earlier steps are not kept."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._sums: dict[Request, Tensor] = {}

    def read(self, plan: Plan) -> None:
        """A prompt that begins, perhaps once more, is added up anew."""
        if not plan.chunks:
            return
        hidden_NE = self._runner.hidden(Batch.of(plan))
        lengths = [chunk.length for chunk in plan.chunks]
        for chunk, rows_NE in zip(plan.chunks, torch.split(hidden_NE, lengths), strict=True):
            sum_E = rows_NE.sum(dim=0)
            if chunk.start:
                sum_E += self._sums[chunk.request]
            self._sums[chunk.request] = sum_E

    def vector(self, request: Request) -> tuple[float, ...]:
        """Of a prompt that has been read to its end."""
        mean_E = self._sums[request] / request.prompt_length
        return tuple(F.normalize(mean_E, dim=0).tolist())

    def forget(self, request: Request) -> None:
        self._sums.pop(request, None)
