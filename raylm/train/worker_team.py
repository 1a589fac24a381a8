"""The training loop's team as a group of Ray actors."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raylm.core.errors import CheckpointError, PoisonedStepError, StateLostError, UsageError
from raylm.core.schema import TrainConfig
from raylm.data.order import shard
from raylm.runtime.group import WorkerGroup
from raylm.runtime.membership import OnEvent
from raylm.train.evaluate import Evaluation
from raylm.train.saving import Saved
from raylm.train.team import merge
from raylm.train.trainer import StepPlan, StepReport


@dataclass(slots=True)
class Deaths:
    """What a run remembers of them when it falls back, by step: (rank, world size) of the workers
    that died in it, and the samples that are to blame."""

    victims: dict[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    samples: dict[int, frozenset[int]] = field(default_factory=dict)


class WorkerTeam:
    def __init__(
        self,
        group: WorkerGroup,
        config: TrainConfig,
        on_event: OnEvent,
        deaths: Deaths | None = None,
    ) -> None:
        self._group, self._config, self._tell = group, config, on_event
        self._deaths = deaths or Deaths()

    @property
    def world_size(self) -> int:
        return self._group.size

    @property
    def epoch(self) -> int:
        return self._group.epoch

    def step(self, plan: StepPlan) -> StepReport:
        """Raises PoisonedStepError naming the samples, unless such are to be skipped."""
        if not self._group.is_elastic:
            return merge(self._group.call("step", plan))
        victims = self._deaths.victims.pop(plan.step, ())
        plan = plan.leaving_out(self._deaths.samples.get(plan.step, frozenset()))
        is_again = False
        while True:
            try:
                return merge(self._group.step(plan, victims=victims))
            except PoisonedStepError as error:
                suspects = self._poison(plan, error)
                if not suspects and is_again:
                    raise PoisonedStepError(
                        f"step {plan.step} kills workers, whatever samples they have; look at "
                        "their memory (batch.micro) and at their logs in Ray's session",
                        error.victims,
                    ) from error
                plan, victims, is_again = plan.leaving_out(suspects), (), True
            except StateLostError as lost:
                self._deaths.victims[plan.step] = lost.victims
                raise

    def resize(self, workers: int) -> None:
        try:
            self._config.passes(workers)
        except ValueError as error:
            raise UsageError(str(error)) from None
        self._group.resize(workers, wait=False)

    def evaluate(self) -> Evaluation:
        evaluation: Evaluation = self._group.call("evaluate")[0]
        return evaluation

    def save(self, root: Path, samples: int) -> None:
        faults: list[str] = self._group.call("save", root, samples)
        if any(faults):
            raise CheckpointError(next(filter(None, faults)))

    def finish_saving(self) -> list[Saved]:
        saved: list[Saved] = self._group.call("finish_saving")[0]
        return saved

    def _poison(self, plan: StepPlan, error: PoisonedStepError) -> frozenset[int]:
        """Samples to go on without; none where it was something else that killed."""
        suspects = poison(plan, error)
        if suspects:
            skips = self._config.elastic.skip_poisoned_samples
            fields: dict[str, Any] = {"step": plan.step, "samples": sorted(suspects)}
            self._tell("poisoned_samples", **fields, is_skipped=skips)
            if not skips:
                raise PoisonedStepError(
                    f"samples {_listed(suspects)} of step {plan.step} have killed "
                    f"{len(error.victims)} workers in a row; look at them, or go on without them "
                    "by elastic.skip_poisoned_samples=true",
                    error.victims,
                )
            self._deaths.samples[plan.step] = plan.without | suspects
        return suspects


def poison(plan: StepPlan, error: PoisonedStepError) -> frozenset[int]:
    """The samples that every worker had that died (pure)."""
    shares = [set(shard(plan.samples, rank, world_size)) for rank, world_size in error.victims]
    return frozenset(set.intersection(*shares) - plan.without)


def _listed(samples: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(samples)))
