"""The ranks of a run as the training loop sees them: one thing that steps, evaluates, saves."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from raylm.core.errors import UsageError
from raylm.train.evaluate import Evaluation
from raylm.train.memory import Memory
from raylm.train.saving import Saved
from raylm.train.trainer import StepPlan, StepReport, Trainer


class Team(Protocol):
    @property
    def world_size(self) -> int: ...

    @property
    def epoch(self) -> int:
        """Counts the memberships of the run; a new one begins when a worker comes or goes."""
        ...

    def step(self, plan: StepPlan) -> StepReport: ...

    def resize(self, workers: int) -> None:
        """Go on with so many as soon as they are there. Raises UsageError where that cannot be."""
        ...

    def evaluate(self) -> Evaluation: ...

    def save(self, root: Path, samples: int) -> None:
        """Start a checkpoint under `root`; the report of a later step says when it is there."""
        ...

    def finish_saving(self) -> list[Saved]:
        """Wait for the checkpoint under way."""
        ...


class Soloist:
    """A team of one, in this process and without Ray."""

    world_size = 1
    epoch = 0

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def step(self, plan: StepPlan) -> StepReport:
        return self._trainer.step(plan)

    def resize(self, workers: int) -> None:
        raise UsageError("a run in one process alone cannot be resized")

    def evaluate(self) -> Evaluation:
        return self._trainer.evaluate()

    def save(self, root: Path, samples: int) -> None:
        self._trainer.save(root, samples)

    def finish_saving(self) -> list[Saved]:
        return self._trainer.finish_saving()


def merge(reports: Sequence[StepReport]) -> StepReport:
    """The result is equal on all ranks; of the bytes, the largest rank's count."""
    fields = ("param_bytes", "grad_bytes", "optimizer_bytes", "peak_bytes", "replica_bytes")
    largest = {name: max(getattr(r.memory, name) for r in reports) for name in fields}
    sent = max(report.comm_bytes for report in reports)
    return replace(reports[0], memory=Memory(**largest), comm_bytes=sent)
