"""One optimizer step of plain data parallelism (ZeRO stage 0).

The loss is the mean over all target tokens of the global batch. Ranks do not know each
other's token counts before the backward pass, so each divides by the count of a full batch,
and the sum over the ranks is corrected by full / real: exactly 1 but for a padded sequence.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from raylm.data.loader import Batch
from raylm.train.communicator import Communicator
from raylm.train.gradients import GradientBuckets
from raylm.train.losses import next_token_loss
from raylm.train.precision import Precision


@dataclass(frozen=True, slots=True)
class StepResult:
    """Equal on every rank. `grad_norm` is global and from before clipping."""

    loss: float
    grad_norm: float
    tokens: int
    skipped: bool


@dataclass(slots=True)
class OptimizerStep:
    model: nn.Module
    optimizer: torch.optim.Optimizer
    gradients: GradientBuckets
    communicator: Communicator
    precision: Precision
    device: torch.device
    clip_norm: float | None

    def run(self, batches: Iterable[Batch], full_tokens: int) -> StepResult:
        """`batches` is this rank's share, `full_tokens` the whole batch's without padding."""
        self.gradients.clear()
        loss_sum, tokens = self._accumulate(list(batches), full_tokens)
        if not math.isfinite(loss_sum) or not tokens:
            return StepResult(loss_sum / max(1, tokens), math.nan, tokens, skipped=True)
        correction = full_tokens / tokens
        norm = correction * self.gradients.norm()
        if math.isfinite(norm):
            self.gradients.scale(correction * clip_factor(norm, self.clip_norm))
            self.optimizer.step()
        return StepResult(loss_sum / tokens, norm, tokens, skipped=not math.isfinite(norm))

    def _accumulate(self, batches: list[Batch], full_tokens: int) -> tuple[float, int]:
        """Gradients of every micro-batch, summed over the ranks; the global loss and count."""
        totals = torch.zeros(2, dtype=torch.float64, device=self.device)
        for number, (inputs, targets) in enumerate(batches, 1):
            with self.precision.autocast(self.device):
                logits = self.model(inputs.to(self.device))
            loss, count = next_token_loss(logits, targets.to(self.device))
            with self.gradients.reduced(last=number == len(batches)):
                torch.autograd.backward(loss / full_tokens)
            totals += torch.stack((loss.detach().double(), count.double()))
        self.communicator.all_reduce(totals)
        loss_sum, tokens = totals.tolist()
        return loss_sum, int(tokens)


def clip_factor(norm: float, limit: float | None) -> float:
    """As torch's clip_grad_norm_ scales gradients of this norm."""
    return 1.0 if limit is None else min(1.0, limit / (norm + 1e-6))
