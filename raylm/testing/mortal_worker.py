"""A training worker that dies on request, at a named moment: for tests of what survives it."""

import os
import signal
import time
from collections.abc import Callable
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any

from raylm.runtime import rendezvous
from raylm.runtime import worker as runtime_worker
from raylm.runtime.slot import Slot
from raylm.train import saving
from raylm.train.worker import TrainWorker


class Moment(StrEnum):
    """Where in its work a worker dies."""

    FORWARD = "forward"
    BUCKET = "bucket"  # a reduce-scatter of the backward pass
    UPDATE = "update"
    GATHER = "gather"
    REPLICA = "replica copy"
    COMMIT = "commit"
    CHECKPOINT = "checkpoint write"
    JOIN = "epoch change"  # before it meets the others
    INHERIT = "recovery"  # when the others already wait for it


class MortalWorker(TrainWorker):
    def doom(self, rank: int, moment: Moment, stamp: Path, after: int = 0) -> None:
        """Rank `rank` gets killed in its next `moment` but `after`, and leaves the time of its
        death in `stamp`."""
        self.settle()  # or it dies in this very call, which is made again of the others
        if rank == self.rank:
            owner, name = self._where(moment)
            setattr(owner, name, _deadly(getattr(owner, name), stamp, after))

    def _where(self, moment: Moment) -> tuple[Any, str]:
        engine = self.trainer.engine
        modules = list(engine.module.modules())
        places: dict[Moment, tuple[Any, str]] = {
            Moment.FORWARD: (modules[len(modules) // 2], "forward"),
            Moment.BUCKET: (engine.communicator, "reduce_scatter"),
            Moment.UPDATE: (engine.optimizer, "step"),
            Moment.GATHER: (engine.communicator, "all_gather"),
            Moment.REPLICA: (Slot, "_view"),
            Moment.COMMIT: (self._kept[-1], "commit"),
            Moment.CHECKPOINT: (saving, "write_shard"),
            Moment.JOIN: (rendezvous, "join"),
            Moment.INHERIT: (runtime_worker, "recover"),
        }
        return places[moment]


def _deadly(original: Callable[..., Any], stamp: Path, after: int) -> Callable[..., Any]:
    calls = count()

    def deadly(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == after:
            stamp.write_text(repr(time.time()), encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    return deadly
