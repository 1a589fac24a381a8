"""Held-out loss, in nats per token and in bits per byte (comparable between tokenizers)."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from raylm.data.corpus import TokenFile
from raylm.data.loader import gather
from raylm.data.packing import Packing
from raylm.train.communicator import Communicator
from raylm.train.losses import next_token_loss
from raylm.train.precision import Precision


@dataclass(frozen=True, slots=True)
class Evaluation:
    loss: float
    bits_per_byte: float
    tokens: int


class Evaluator:
    """The first `max_tokens` of the held-out text, shared by the ranks."""

    def __init__(
        self, heldout: TokenFile, sequence_length: int, max_tokens: int, micro: int
    ) -> None:
        self._stream = heldout.open()[: max_tokens + 1]
        self._packing = Packing(len(self._stream), sequence_length)
        self._tokens_per_byte = heldout.tokens / heldout.text_bytes
        self._micro = micro

    @torch.no_grad()
    def run(
        self,
        model: nn.Module,
        communicator: Communicator,
        precision: Precision,
        device: torch.device,
    ) -> Evaluation:
        totals = torch.zeros(2, dtype=torch.float64, device=device)
        mine = range(communicator.rank, self._packing.sequences, communicator.world_size)
        for start in range(0, len(mine), self._micro):
            inputs, targets = gather(self._stream, self._packing, mine[start : start + self._micro])
            with precision.autocast(device):
                logits = model(inputs.to(device))
            loss, count = next_token_loss(logits, targets.to(device))
            totals += torch.stack((loss.double(), count.double()))
        communicator.all_reduce(totals)
        loss_sum, tokens = totals.tolist()
        mean = loss_sum / max(1.0, tokens)
        return Evaluation(mean, mean / math.log(2) * self._tokens_per_byte, int(tokens))
