"""A small run on real Ray workers whose deaths can be arranged."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from raylm.core.schema import TrainConfig
from raylm.runtime.group import WorkerGroup
from raylm.testing.mortal_worker import MortalWorker
from raylm.train.loop import Position, TrainingLoop
from raylm.train.rundir import RunDirectory
from raylm.train.update import Update
from raylm.train.worker_team import WorkerTeam

CONFIG: Mapping[str, Any] = {
    "name": "arena",
    "seed": 0,
    "model": {"hidden_size": 256, "num_layers": 4, "num_heads": 4},
    "data": {"path": "stdlib", "sequence_length": 128, "tokenizer": {"vocab_size": 2048}},
    "batch": {"global": 12, "micro": 4},
    "optimizer": {"lr": 3e-4},
    "schedule": {"name": "constant"},
    "precision": "fp32",
    "evaluation": {"every": 0},
    "checkpoint": {"every": 0},
}


@dataclass(slots=True)
class Arena:
    """`events`: name and fields, with the time `t`, of all that has happened."""

    group: WorkerGroup
    folder: Path
    updates: Iterator[Update]
    events: list[dict[str, Any]] = field(default_factory=list)

    def named(self, event: str) -> list[dict[str, Any]]:
        return [fields for fields in self.events if fields["event"] == event]

    @property
    def pids(self) -> list[int]:
        """By rank."""
        return [member.pid for member in self.group.members]

    def refill(self, workers: int) -> None:
        """Until so many are at work again."""
        if self.group.size < workers:
            self.group.resize(workers)


@contextmanager
def arena(workers: int, steps: int, **changes: Any) -> Iterator[Arena]:
    """`changes` of the configuration, with __ for a dot."""
    overrides = [f"{name.replace('__', '.')}={value}" for name, value in changes.items()]
    overrides += [f"workers={workers}", f"steps={steps}"]
    config = TrainConfig.load(dict(CONFIG), overrides)
    events: list[dict[str, Any]] = []

    def note(event: str, **fields: Any) -> None:
        events.append({"event": event, "t": time.time(), **fields})

    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # a killed worker may write
        directory = RunDirectory(Path(folder) / "run", config)
        with WorkerGroup(
            MortalWorker,
            workers,
            args=(config,),
            elastic=config.elastic,
            on_event=note,
            timeout_s=60,
        ) as group:
            group.rank_zero("prepare")
            group.call("prepare")
            group.call("build")
            team = WorkerTeam(group, config, note)
            loop = TrainingLoop(config, team, directory, Position())
            yield Arena(group, Path(folder), loop.run(), events)
        directory.close()
