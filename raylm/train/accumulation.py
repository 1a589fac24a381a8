"""Which part of the mean gradient each micro-batch is.

Without token counts every micro-batch of every rank weighs the same, as in DeepSpeed. With
them the mean is over all tokens of the global batch: a rank does not know the others' counts
before the end of the step, so that each loss is weighed by its tokens over a common power of
two, and the sum corrected by what the counts turn out to add up to.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from raylm.core.errors import CheckpointError, RayLMError


@dataclass(slots=True)
class Accumulation:
    """`micro_batches` per rank and step; `micro_step` of them are done."""

    micro_batches: int
    world_size: int
    micro_step: int = 0
    tokens: float = 0.0
    passes: int = 0
    counts_tokens: bool = False  # in the step under way
    unit_tokens: float = 0.0  # the common power of two; 0 before it is agreed on

    @property
    def is_last(self) -> bool:
        return self.micro_step == self.micro_batches - 1

    @property
    def parts(self) -> int:
        """Micro-batches of all ranks in a step."""
        return self.micro_batches * self.world_size

    def weigh(self, tokens: float | None) -> float:
        """What to multiply the mean loss over `tokens` by, before a backward pass."""
        if self.passes and self.counts_tokens != (tokens is not None):
            raise RayLMError(
                "engine.backward was called with and without tokens in one step; give the number "
                "of tokens of every micro-batch or of none"
            )
        self.passes += 1
        self.counts_tokens = tokens is not None
        if tokens is None:
            return 1.0 / self.parts
        self.tokens += tokens
        return tokens / self.unit_tokens / self.parts

    def correction(self, all_tokens: float) -> float:
        """What the summed gradients are to be multiplied by; `all_tokens` is over all ranks."""
        return self.unit_tokens * self.parts / all_tokens if all_tokens else 1.0

    def state(self) -> dict[str, Any]:
        return {
            "micro_batches": self.micro_batches,
            "world_size": self.world_size,
            "micro_step": self.micro_step,
            "passes": self.passes,
            "unit_tokens": self.unit_tokens,
            "counts_tokens": self.counts_tokens,
        }

    def resume(self, saved: Mapping[str, Any]) -> None:
        """Go on from a saved `state`, maybe of another world size; the tokens are not in it.

        Raises CheckpointError for a step begun in parts that do not fit this world size.
        """
        micro_step, passes = (
            saved[key] * saved["world_size"] / self.world_size for key in ("micro_step", "passes")
        )
        fits = saved["micro_batches"] * saved["world_size"] == self.parts
        is_midway = micro_step > 0 or passes > 0
        if is_midway and not (fits and micro_step.is_integer() and passes.is_integer()):
            raise CheckpointError(
                f"the checkpoint is in the middle of a step, after {saved['micro_step']} of "
                f"{saved['micro_batches']} micro-batches on {saved['world_size']} ranks; this "
                f"cannot be continued as {self.micro_batches} micro-batches on {self.world_size}"
            )
        self.micro_step, self.passes = int(micro_step), int(passes)
        self.unit_tokens, self.counts_tokens = saved["unit_tokens"], saved["counts_tokens"]

    def restart(self) -> None:
        self.micro_step, self.tokens, self.passes = 0, 0.0, 0


def power_of_two(tokens: float) -> float:
    """The nearest one: multiplying by it rounds nothing."""
    return 2.0 ** round(math.log2(max(1.0, tokens)))
