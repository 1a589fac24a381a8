"""The training loop decides what happens next; a `Team` does it, a `RunDirectory` records it."""

import time
from collections.abc import Callable, Iterator, Sequence

from raylm.core.errors import CheckpointError
from raylm.core.schema import TrainConfig
from raylm.train.rundir import RunDirectory, Start
from raylm.train.saving import Saved
from raylm.train.schedule import learning_rate
from raylm.train.team import Team
from raylm.train.trainer import StepPlan, StepReport
from raylm.train.update import Update


class TrainingLoop:
    """`stop` is asked before every step; a stopped run has saved where it stands."""

    def __init__(
        self,
        config: TrainConfig,
        team: Team,
        run: RunDirectory,
        start: Start,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._config, self._team, self._run, self._stop = config, team, run, stop
        self.step = self._saved_step = start.step
        self._saving_in: int | None = None  # the epoch in which a save that is under way began
        self.samples = start.samples

    @property
    def finished(self) -> bool:
        return self.step >= self._config.steps

    def run(self) -> Iterator[Update]:
        """Step, evaluate, record and save until the last step, one update at a time."""
        while not self.finished and not self._stop():
            plan = self._next()
            began = time.perf_counter()
            report = self._team.step(plan)
            update = self._describe(plan, report, time.perf_counter() - began)
            self.step, self.samples = plan.step, plan.samples.stop
            if self._evaluation_is_due():
                update = update.evaluated(self._team.evaluate())
            self._run.update(update)
            self._record(report.saved)
            if self._is_every(self._config.checkpoint.every) or self._save_was_cut_off():
                self._save()
            yield update
        if self.step > self._saved_step:
            self._save()
        self._record(self._team.finish_saving())
        while self._save_was_cut_off():
            self._save()
            self._record(self._team.finish_saving())

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
            comm_bytes=report.comm_bytes,
            sample_index_first=plan.samples.start,
            sample_index_last=plan.samples.stop - 1,
        )
