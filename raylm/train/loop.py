"""The training loop decides what happens next; a `Team` does it, a `RunDirectory` records it."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from raylm.core.errors import CheckpointError, UsageError
from raylm.core.schema import TrainConfig
from raylm.train.rundir import RunDirectory, Start
from raylm.train.saving import Saved
from raylm.train.schedule import learning_rate
from raylm.train.team import Team
from raylm.train.trainer import StepPlan, StepReport
from raylm.train.update import Update


@dataclass(frozen=True, slots=True)
class Position:
    """Steps done, samples consumed, and the step that is saved."""

    step: int = 0
    samples: int = 0
    saved_step: int = 0

    @classmethod
    def of(cls, start: Start) -> "Position":
        return cls(start.step, start.samples, start.step)


class TrainingLoop:
    """`stop` is asked before every step; a stopped run has saved where it stands."""

    def __init__(
        self,
        config: TrainConfig,
        team: Team,
        run: RunDirectory,
        position: Position,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._config, self._team, self._run, self._stop = config, team, run, stop
        self.step, self.samples = position.step, position.samples
        self._saved_step = position.saved_step
        self._saving_in: int | None = None  # the epoch in which a save that is under way began

    @property
    def finished(self) -> bool:
        return self.step >= self._config.steps

    def run(self) -> Iterator[Update]:
        """Step, evaluate, record and save until the last step, one update at a time."""
        while not self.finished and not self._stop():
            self._heed_wish()
            plan = self._next()
            began = time.perf_counter()
            report = self._team.step(plan)
            yield self._take(plan, report, time.perf_counter() - began)
        if self.step > self._saved_step:
            self._save()
        self._record(self._team.finish_saving())
        while self._save_was_cut_off():
            self._save()
            self._record(self._team.finish_saving())

    def take_up(self, report: StepReport, seconds: float) -> Update:
        """The next step has been done already, for a loop that has died."""
        return self._take(self._next(), report, seconds)

    def _take(self, plan: StepPlan, report: StepReport, seconds: float) -> Update:
        update = self._describe(plan, report, seconds)
        self.step, self.samples = plan.step, plan.samples.stop
        if self._evaluation_is_due():
            update = update.evaluated(self._team.evaluate())
        self._run.update(update)
        self._record(report.saved)
        if self._save_is_due() or self._save_was_cut_off():
            self._save()
        return update

    def _heed_wish(self) -> None:
        if (workers := self._run.wish.take()) is None:
            return
        try:
            self._team.resize(workers)
        except UsageError as error:
            self._run.event("resize_refused", workers=workers, reason=str(error))

    def _next(self) -> StepPlan:
        config, step = self._config, self.step + 1
        lr = learning_rate(config.schedule, config.optimizer.lr, step, config.steps)
        return StepPlan(step, range(self.samples, self.samples + config.global_batch), lr)

    def _evaluation_is_due(self) -> bool:
        """The first figure is of the model after one step, before it has learnt anything."""
        first_or_last = self.step == 1 or self.finished
        return first_or_last or self._is_every(self._config.evaluation.every)

    def _is_every(self, interval: int) -> bool:
        return interval > 0 and self.step % interval == 0

    def _save_is_due(self) -> bool:
        """Also of a step that the loop before this one did not live to save."""
        every = self._config.checkpoint.every
        return every > 0 and self.step // every > self._saved_step // every

    def _save_was_cut_off(self) -> bool:
        """Workers of another epoch know nothing of it."""
        return self._saving_in not in (None, self._team.epoch)

    def _save(self) -> None:
        try:
            self._team.save(self._run.checkpoints.resolve(), self.samples)
            self._saving_in = self._team.epoch
        except CheckpointError as error:  # no place for it now: training goes on
            self._run.not_saved(self.step, str(error))
        self._saved_step = self.step

    def _record(self, checkpoints: Sequence[Saved]) -> None:
        for saved in checkpoints:
            self._saving_in = None
            if saved.folder is None:
                self._run.not_saved(saved.step, saved.error)
            else:
                self._run.saved(saved.folder, saved.step, saved.seconds)

    def _describe(self, plan: StepPlan, report: StepReport, seconds: float) -> Update:
        result, memory = report.result, report.memory
        return Update(
            step=plan.step,
            loss=result.loss,
            lr=plan.lr,
            grad_norm=result.grad_norm,
            tokens=result.tokens,
            tokens_per_second=result.tokens / seconds,
            step_seconds=seconds,
            loss_scale=result.loss_scale,
            skipped=int(result.skipped),
            world_size=self._team.world_size,
            membership_epoch=self._team.epoch,
            param_bytes=memory.param_bytes,
            grad_bytes=memory.grad_bytes,
            optimizer_bytes=memory.optimizer_bytes,
            peak_bytes=memory.peak_bytes,
            replica_bytes=memory.replica_bytes,
            comm_bytes=report.comm_bytes,
            sample_index_first=plan.samples.start,
            sample_index_last=plan.samples.stop - 1,
        )
