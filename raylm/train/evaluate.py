"""Held-out loss, in nats per token and in bits per byte (comparable between tokenizers)."""

import math
from dataclasses import dataclass

import torch

from raylm.data.corpus import TokenFile
from raylm.data.loader import gather
from raylm.data.packing import Packing
from raylm.train.engine import Engine
from raylm.train.losses import next_token_loss


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
    def run(self, engine: Engine, device: torch.device) -> Evaluation:
        """Every rank makes as many forward passes as the others, for a sharded model needs all
        of them; one that has run out of sequences repeats one that counts for nothing."""
        totals = torch.zeros(2, dtype=torch.float64, device=device)
        each = -(-self._packing.sequences // engine.world_size)
        mine = range(engine.rank * each, (engine.rank + 1) * each)
        for start in range(0, each, self._micro):
            wanted = mine[start : start + self._micro]
            present = [s for s in wanted if s < self._packing.sequences]
            inputs, targets = gather(self._stream, self._packing, present or [0])
            logits = engine(inputs.to(device))
            loss, count = next_token_loss(logits, targets.to(device))
            if present:
                totals += torch.stack((loss.double(), count.double()))
        engine.communicator.all_reduce(totals, "held-out loss")
        loss_sum, tokens = totals.tolist()
        mean = loss_sum / max(1.0, tokens)
        return Evaluation(mean, mean / math.log(2) * self._tokens_per_byte, int(tokens))
