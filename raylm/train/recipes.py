"""Pre-training from a configuration: actors, a loop over them, a run directory.

`fit` yields one update per optimizer step to a driver of your own; `train` is what the command
line runs: the same with progress on the terminal and a graceful stop.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import ray

from raylm.core.errors import WorkerError
from raylm.core.schema import TrainConfig
from raylm.data.sources import STDLIB, open_source
from raylm.runtime.controller import OnEvent
from raylm.runtime.group import WorkerGroup
from raylm.runtime.session import cluster_address, ray_session
from raylm.train.evaluate import Evaluation
from raylm.train.interruption import StopRequest
from raylm.train.loop import TrainingLoop
from raylm.train.progress import TrainingProgress, event_line
from raylm.train.rundir import RunDirectory, Start, choose_start
from raylm.train.saving import Saved
from raylm.train.team import merge
from raylm.train.trainer import StepPlan, StepReport
from raylm.train.update import Update
from raylm.train.worker import Summary, TrainWorker

T = TypeVar("T")
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RunResult:
    """`status` is "finished" or "interrupted"; either way the last step done is saved."""

    run_dir: Path
    status: str
    step: int


class WorkerTeam:
    """The training loop's team as a group of Ray actors."""

    def __init__(self, group: WorkerGroup) -> None:
        self._group = group

    @property
    def world_size(self) -> int:
        return self._group.size

    @property
    def epoch(self) -> int:
        return self._group.epoch

    def step(self, plan: StepPlan) -> StepReport:
        is_elastic = self._group.is_elastic
        return merge(self._group.step(plan) if is_elastic else self._group.call("step", plan))

    def evaluate(self) -> Evaluation:
        evaluation: Evaluation = self._group.call("evaluate")[0]
        return evaluation

    def save(self, root: Path, samples: int) -> None:
        self._group.call("save", root, samples)

    def finish_saving(self) -> list[Saved]:
        saved: list[Saved] = self._group.call("finish_saving")[0]
        return saved


def fit(
    config: TrainConfig | Mapping[str, Any] | str | Path,
    *,
    output: Path | str | None = None,
    resume: Path | str | None = None,
    address: str | None = None,
) -> Iterator[Update]:
    """Train, yielding an update per step; the run directory is as `raylm train` makes it.

    Leaving the iteration early ends the workers. Raises what `train` raises.
    """
    settings = as_config(config)
    start = choose_start(settings, None if output is None else Path(output), resume)
    yield from _updates(settings, start, address, stop=lambda: False, note=lambda line: None)


def train(
    config: TrainConfig | Mapping[str, Any] | str | Path,
    output: Path | str | None = None,
    resume: Path | str | None = None,
    address: str | None = None,
    workers: int | None = None,
    on_update: Callable[[Update], None] | None = None,
) -> RunResult:
    """Train to the last step, or until SIGINT or SIGTERM, showing progress on the terminal.

    Raises ConfigError, DataError, CheckpointError, UsageError or WorkerError; after any of
    them the last checkpoint of the run is whole.
    """
    settings = as_config(config, [] if workers is None else [f"workers={workers}"])
    start = choose_start(settings, None if output is None else Path(output), resume)
    step = start.step
    with (
        StopRequest() as stop,
        TrainingProgress(settings.steps, start.step) as progress,
        closing(_updates(settings, start, address, stop, progress.note)) as updates,
    ):
        for update in updates:
            progress.update(update)
            step = update.step
            if on_update is not None:
                on_update(update)
    status = "finished" if step >= settings.steps else "interrupted"
    return RunResult(start.folder, status, step)


def as_config(
    config: TrainConfig | Mapping[str, Any] | str | Path, overrides: list[str] | None = None
) -> TrainConfig:
    if isinstance(config, TrainConfig):
        config = config.to_dict()
    return TrainConfig.load(config, overrides or [])


def _updates(
    config: TrainConfig, start: Start, address: str | None, stop: Callable[[], bool], note: Note
) -> Generator[Update, None, None]:
    if cluster_address(address) is None:  # the workers see what is seen here: fail before Ray
        open_source(config.data.path, config.data.text_field)
    with closing(RunDirectory(start, config)) as run, ray_session(address, cpus=config.workers):
        status = "failed"
        try:
            with _workers(config, start, partial(_record, run, note)) as group:
                _set_up(group, config.zero.stage, start, note)
                loop = TrainingLoop(config, WorkerTeam(group), run, start, stop)
                yield from loop.run()
                status = "finished" if loop.finished else "interrupted"
        except WorkerError as error:
            if error.rank is not None:
                run.event("worker_lost", rank=error.rank, pid=error.pid, reason=error.reason)
            raise
        except (KeyboardInterrupt, GeneratorExit):
            status = "interrupted"
            raise
        finally:
            run.event("run_finished", status=status)


def _record(run: RunDirectory, note: Note, event: str, **fields: Any) -> None:
    run.event(event, **fields)
    if line := event_line(event, fields):
        note(line)


def _workers(config: TrainConfig, start: Start, on_event: OnEvent) -> WorkerGroup:
    gpus = ray.cluster_resources().get("GPU", 0)  # type: ignore[no-untyped-call]
    resources = {"GPU": 1, "CPU": 1} if gpus >= config.workers else {"CPU": 1}
    args = (_located(config), start.checkpoint)
    return WorkerGroup(
        TrainWorker,
        config.workers,
        args=args,
        resources=resources,
        timeout_s=config.timeout_s,
        elastic=config.elastic if config.elastic.enabled else None,
        on_event=on_event,
    )


def _located(config: TrainConfig) -> TrainConfig:
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


def _set_up(group: WorkerGroup, stage: int, start: Start, note: Note) -> None:
    pids = ", ".join(str(member.pid) for member in group.members)
    note(f"run {start.folder} on {group.size} workers (pids {pids})")
    note("preparing the data")
    summary: Summary = group.rank_zero("prepare")
    note(
        f"data: {summary.documents:,} documents, {summary.tokens:,} training and "
        f"{summary.heldout_tokens:,} held-out tokens of {summary.bytes_per_token:.2f} bytes"
    )
    note(f"each worker will hold (ZeRO stage {stage}): {summary.plan}")
    group.call("prepare")
    precision = group.call("build")[0]
    note(
        f"model: {summary.parameters / 1e6:.2f}M parameters, vocabulary {summary.vocab_size}; "
        f"precision {precision.name}: {precision.reason}"
    )
    if start.checkpoint is not None:
        note(f"resumed from {start.checkpoint.folder} at step {start.step}")
