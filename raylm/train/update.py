"""What one optimizer step has to tell: a line of metrics.jsonl, and what `raylm.fit` yields."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from raylm.train.evaluate import Evaluation


@dataclass(frozen=True, slots=True)
class Update:
    """`grad_norm` is global and from before clipping; bytes are of the largest rank.

    `skipped` is 1 for a step whose loss or gradient was not finite and which changed nothing.
    The held-out figures are there on the steps that were followed by an evaluation.
    """

    step: int
    loss: float
    lr: float
    grad_norm: float
    tokens: int
    tokens_per_second: float
    step_seconds: float
    loss_scale: float
    skipped: int
    world_size: int
    membership_epoch: int
    param_bytes: int
    grad_bytes: int
    optimizer_bytes: int
    peak_bytes: int
    replica_bytes: int
    comm_bytes: int
    sample_index_first: int
    sample_index_last: int
    heldout_loss: float | None = None
    heldout_bits_per_byte: float | None = None

    def evaluated(self, evaluation: Evaluation) -> Self:
        return replace(
            self, heldout_loss=evaluation.loss, heldout_bits_per_byte=evaluation.bits_per_byte
        )

    def to_dict(self) -> dict[str, Any]:
        """Without the held-out figures where there are none."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Self:
        """From `to_dict`, whatever else is in it."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in row.items() if name in names})
