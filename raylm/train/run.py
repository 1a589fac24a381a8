"""A run from its start to its end: workers, a loop over them, a run directory.

Workers that die together with all replicas of their state are replaced by others that go on
from the newest checkpoint.
"""

import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import ray

from raylm.core.errors import StateLostError, UsageError, WorkerError
from raylm.core.schema import TrainConfig
from raylm.data.sources import STDLIB, open_source
from raylm.runtime.group import WorkerGroup
from raylm.runtime.session import cluster_address, ray_session
from raylm.train.loop import Position, TrainingLoop
from raylm.train.progress import event_line
from raylm.train.rundir import RunDirectory, Start, newest_of
from raylm.train.team import merge
from raylm.train.update import Update
from raylm.train.worker import Summary, TrainWorker
from raylm.train.worker_team import Deaths, WorkerTeam

T = TypeVar("T")
Note = Callable[[str], None]
_CLOCK_S = 1e-3  # clocks of two machines may differ: no step took less than nothing
_MAX_FALLS = 3  # back to the same checkpoint: then it is something that comes again


def updates(
    config: TrainConfig,
    start: Start,
    address: str | None = None,
    stop: Callable[[], bool] = lambda: False,
    note: Note = lambda line: None,
    name: str | None = None,
) -> Generator[Update, None, None]:
    """A run step by step; it ends its workers when it is closed.

    `name`: of workers that outlive this process; made again, from the same `start`, the run goes
    on with them.
    """
    if cluster_address(address) is None:  # the workers see what is seen here: fail before Ray
        open_source(config.data.path, config.data.text_field)
    with (
        closing(RunDirectory(start.folder, config)) as directory,
        ray_session(address, cpus=config.workers),
    ):
        yield from Run(config, start, directory, stop, note, name).updates()


class Run:
    def __init__(
        self,
        config: TrainConfig,
        start: Start,
        directory: RunDirectory,
        stop: Callable[[], bool],
        note: Note,
        name: str | None,
    ) -> None:
        self._config, self._first, self._directory = config, start, directory
        self._stop, self._note, self._name = stop, note, name
        self._start = newest_of(start)
        self._step, self._began = self._start.step, time.time()
        self._target = config.workers
        self._deaths = Deaths()
        self._falls = 0  # to the start, in a row

    def updates(self) -> Generator[Update, None, None]:
        status = "failed"
        try:
            while True:
                try:
                    status = yield from self._attempt()
                    break
                except StateLostError as lost:
                    self._fall_back(lost)
        except WorkerError as error:
            if error.rank is not None:
                self._tell("worker_lost", rank=error.rank, pid=error.pid, reason=error.reason)
            raise
        except (KeyboardInterrupt, GeneratorExit):
            status = "interrupted"
            raise
        finally:
            self._directory.event("run_finished", status=status)

    def _attempt(self) -> Generator[Update, None, str]:
        """Until the last step, or a wish to stop; the run's status."""
        with self._workers() as group:
            if self._falls and group.size < self._target:
                group.resize(self._target, wait=False)
            team = WorkerTeam(group, self._config, self._tell, self._deaths)
            position = self._where(group) if group.is_adopted else self._set_up(group)
            self._directory.rewind(position.step)
            loop = TrainingLoop(self._config, team, self._directory, position, self._stop)
            if group.is_adopted and (update := self._unheard_of(group, loop)):
                yield update
            try:
                for update in loop.run():
                    self._step = update.step
                    yield update
            except StateLostError:
                self._target = group.target
                raise
            return "finished" if loop.finished else "interrupted"

    def _fall_back(self, lost: StateLostError) -> None:
        """To the newest checkpoint, or the beginning. Raises `lost` where that has not helped."""
        newest = newest_of(self._first)
        self._falls = self._falls + 1 if newest.step == self._start.step else 1
        if self._falls > _MAX_FALLS:
            raise lost
        self._note(str(lost))
        self._tell("fell_back", step=newest.step, steps_lost=self._step - newest.step)
        self._start, self._step = newest, newest.step

    def _where(self, group: WorkerGroup) -> Position:
        """Where workers stand that were found at work."""
        self._note(f"run {self._start.folder}: found its {group.size} workers at work")
        step: int = group.call("position")[0]
        last = self._directory.last_update() or {
            "step": self._start.step,
            "sample_index_last": self._start.samples - 1,
        }
        recorded = min(step, last["step"])
        if step - recorded > 1:
            raise UsageError(
                f"{self._start.folder}: the records end at step {recorded}, but the workers are at "
                f"step {step}; the folder must be one that all nodes share"
            )
        samples = last["sample_index_last"] + 1
        samples += (recorded - last["step"]) * self._config.global_batch
        return Position(recorded, samples, self._start.step)

    def _unheard_of(self, group: WorkerGroup, loop: TrainingLoop) -> Update | None:
        """The step that was done but not recorded when the loop before this one died."""
        if group.call("position")[0] == loop.step:
            return None
        last = self._directory.last_update()
        seconds = time.time() - (last["t"] if last else self._began)
        return loop.take_up(merge(group.last_results()), max(seconds, _CLOCK_S))

    def _workers(self) -> WorkerGroup:
        config = self._config
        total = ray.cluster_resources()  # type: ignore[no-untyped-call]
        is_on_gpus = total.get("GPU", 0) >= config.workers
        resources = {"GPU": 1, "CPU": 1} if is_on_gpus else {"CPU": 1}
        size = self._target
        if self._falls:  # with nodes, perhaps: others come when there is room again
            room = int(min(total.get(name, 0) // each for name, each in resources.items()))
            size = max(config.elastic.min, min(size, room))
        return WorkerGroup(
            TrainWorker,
            size,
            args=(located(config), self._start.checkpoint),
            resources=resources,
            timeout_s=config.timeout_s,
            elastic=config.elastic if config.elastic.enabled else None,
            on_event=self._tell,
            name=self._name if config.elastic.enabled else None,
        )

    def _set_up(self, group: WorkerGroup) -> Position:
        start, note = self._start, self._note
        pids = ", ".join(str(member.pid) for member in group.members)
        note(f"run {start.folder} on {group.size} workers (pids {pids})")
        note("preparing the data")
        summary: Summary = group.rank_zero("prepare")
        note(
            f"data: {summary.documents:,} documents, {summary.tokens:,} training and "
            f"{summary.heldout_tokens:,} held-out tokens of {summary.bytes_per_token:.2f} bytes"
        )
        note(f"each worker will hold (ZeRO stage {self._config.zero.stage}): {summary.plan}")
        group.call("prepare")
        precision = group.call("build")[0]
        note(
            f"model: {summary.parameters / 1e6:.2f}M parameters, vocabulary {summary.vocab_size}; "
            f"precision {precision.name}: {precision.reason}"
        )
        if start.checkpoint is not None:
            note(f"resumed from {start.checkpoint.folder} at step {start.step}")
        return Position.of(start)

    def _tell(self, event: str, **fields: Any) -> None:
        self._directory.event(event, **fields)
        if line := event_line(event, fields):
            self._note(line)


def located(config: TrainConfig) -> TrainConfig:
    """With absolute paths: a worker's current folder is not the driver's."""
    paths = config.data.path
    paths = (paths,) if isinstance(paths, str) else paths
    places = tuple(p if p == STDLIB else str(Path(p).expanduser().absolute()) for p in paths)
    data = {"path": places, "tokenizer": _absolute(config.data.tokenizer)}
    update = {"data": config.data.model_copy(update=data), "model": _absolute(config.model)}
    return config.model_copy(update=update)


def _absolute(value: T) -> T | str:
    if isinstance(value, str) and Path(value).expanduser().exists():
        return str(Path(value).expanduser().absolute())
    return value
