"""Checkpoints while training goes on: the loop pays for a copy of this rank's shard alone.

Each rank writes its own file in the background. The ranks learn that all are written with the
totals of a later step, and then rank 0 makes the draft the newest checkpoint.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from raylm.checkpoint import save
from raylm.checkpoint.background import BackgroundWriter
from raylm.checkpoint.host_copy import copy_to_host
from raylm.checkpoint.shard_file import Part, write_shard
from raylm.checkpoint.tensor_record import TensorRecord
from raylm.collectives.communicator import Communicator
from raylm.core.errors import CheckpointError
from raylm.parallel.zero.state import StatePart

Records = dict[str, TensorRecord]
Commit = Callable[[Path, Records], Path]  # (draft, records by KIND/NAME) -> the final folder


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint that was tried: its `folder`, or the `error` for which there is none."""

    step: int
    folder: Path | None
    error: str
    seconds: float


@dataclass(slots=True)
class _Draft:
    step: int
    folder: Path
    records: Records
    commit: Commit
    began: float = field(default_factory=time.monotonic)
    is_written: bool = False
    error: str = ""


class Saver:
    def __init__(self, communicator: Communicator) -> None:
        self._communicator = communicator
        self._writer: BackgroundWriter[Path | None] = BackgroundWriter()
        self._draft: _Draft | None = None
        self._committing: _Draft | None = None
        self._saved: list[Saved] = []

    def start(
        self,
        step: int,
        begin: Callable[[], Path],
        parts: Iterable[StatePart],
        write_small: Callable[[Path], None],
        commit: Commit,
    ) -> None:
        """Copy `parts` and write them in the background; every rank calls this.

        `begin` is run on rank 0 and gives the draft folder; `write_small` adds this rank's other
        files to it. Raises CheckpointError where the draft cannot be made.
        """
        self.finish()
        folder = self._begin(begin)
        parts = list(parts)
        copies = copy_to_host([part.values for part in parts])
        own = [Part(p.kind, p.name, p.start, c) for p, c in zip(parts, copies, strict=True)]
        records = self._merge(
            {f"{p.kind}/{p.name}": TensorRecord.of(p.shape, p.values.dtype) for p in parts}
        )
        self._draft = _Draft(step, folder, records, commit)
        rank, world_size = self._communicator.rank, self._communicator.world_size

        def write() -> None:
            write_small(folder)
            write_shard(folder, rank, world_size, own)

        self._writer.submit(write)

    def progress(self) -> tuple[float, float]:
        """Whether this rank's file is written, and whether writing it failed: 1 or 0."""
        draft = self._draft
        if draft is None:
            return 0.0, 0.0
        if not draft.is_written and (outcome := self._writer.poll()) is not None:
            draft.is_written = True
            draft.error = str(outcome.error) if outcome.error is not None else ""
        return float(draft.is_written and not draft.error), float(bool(draft.error))

    def settle(self, written: float, failed: float) -> None:
        """What `progress` adds up to over the ranks."""
        draft = self._draft
        if draft is None or written + failed < self._communicator.world_size:
            return
        self._draft = None
        if failed:
            self._give_up(draft, draft.error or f"{failed:.0f} ranks could not write their shards")
        elif self._communicator.rank == 0:
            self._committing = draft
            self._writer.submit(lambda: draft.commit(draft.folder, draft.records))

    def poll(self) -> list[Saved]:
        """Checkpoints done or given up since the last call; complete on rank 0."""
        if self._committing is not None and (outcome := self._writer.poll()) is not None:
            draft, self._committing = self._committing, None
            error = "" if outcome.error is None else str(outcome.error)
            self._report(draft, outcome.value, error)
        saved, self._saved = self._saved, []
        return saved

    def finish(self) -> None:
        """Until nothing is under way; every rank calls this, and polls for the result."""
        self._writer.wait()
        if self._draft is not None:
            found = self._communicator.gather_objects(self.progress(), "written shards")
            self.settle(sum(w for w, _ in found), sum(f for _, f in found))
            self._writer.wait()
        self._saved = self.poll()

    def close(self) -> None:
        """After `finish`: the thread that writes ends."""
        self._writer.close()

    def abandon(self) -> None:
        """What is under way will not be committed."""
        self._writer.close(wait=False)

    def _begin(self, begin: Callable[[], Path]) -> Path:
        made: Path | str | None = None
        if self._communicator.rank == 0:
            try:
                made = begin()
            except OSError as error:
                made = f"cannot start a checkpoint: {error}"
        made = self._communicator.gather_objects(made, "checkpoint draft")[0]
        if not isinstance(made, Path):
            raise CheckpointError(str(made))
        return made

    def _merge(self, own: Records) -> Records:
        merged: Records = {}
        for records in self._communicator.gather_objects(own, "checkpoint records"):
            merged |= records
        return merged

    def _give_up(self, draft: _Draft, error: str) -> None:
        if self._communicator.rank == 0:
            save.discard(draft.folder)
        self._report(draft, None, error)

    def _report(self, draft: _Draft, folder: Path | None, error: str) -> None:
        self._saved.append(Saved(draft.step, folder, error, time.monotonic() - draft.began))
