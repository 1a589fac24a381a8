"""Pre-training from a configuration: actors, a loop over them, a run directory.

`fit` yields one update per optimizer step to a driver of your own; `train` is what the command
line runs: the same with progress on the terminal and a graceful stop.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raylm.core.schema import TrainConfig
from raylm.runtime.session import cluster_address
from raylm.train.interruption import StopRequest
from raylm.train.progress import TrainingProgress
from raylm.train.run import updates
from raylm.train.run_actor import follow, is_under_way
from raylm.train.rundir import Start, choose_start, newest_start
from raylm.train.update import Update


@dataclass(frozen=True, slots=True)
class RunResult:
    """`status` is "finished" or "interrupted"; either way the last step done is saved."""

    run_dir: Path
    status: str
    step: int


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
    start = choose_start(settings, _folder(output), resume)
    yield from updates(settings, start, address)


def train(
    config: TrainConfig | Mapping[str, Any] | str | Path,
    output: Path | str | None = None,
    resume: Path | str | None = None,
    address: str | None = None,
    workers: int | None = None,
    on_update: Callable[[Update], None] | None = None,
) -> RunResult:
    """Train to the last step, or until SIGINT or SIGTERM, showing progress on the terminal.

    On a cluster, at `address` or RAY_ADDRESS, the run goes on when this process dies; to
    resume a run that is under way there is to follow it.
    Raises ConfigError, DataError, CheckpointError, UsageError or WorkerError; after any of
    them the last checkpoint of the run is whole.
    """
    settings = as_config(config, [] if workers is None else [f"workers={workers}"])
    start = _choose(settings, _folder(output), resume, address)
    step = start.step
    is_on_cluster = cluster_address(address) is not None
    run = follow if is_on_cluster else updates
    with (
        StopRequest() as stop,
        TrainingProgress(settings.steps, start.step) as progress,
        closing(run(settings, start, address, stop, progress.note)) as steps,
    ):
        for update in steps:
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


def _choose(
    config: TrainConfig, output: Path | None, resume: Path | str | None, address: str | None
) -> Start:
    is_followed = resume == "auto" and cluster_address(address) is not None
    if output is not None and is_followed and is_under_way(output, address):
        return newest_start(output)
    return choose_start(config, output, resume)


def _folder(output: Path | str | None) -> Path | None:
    return None if output is None else Path(output).expanduser()
