"""A run on the terminal: a progress bar for people, plain lines for logs."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from raylm.train.update import Update

PLAIN_INTERVAL_S = 10.0


class TrainingProgress:
    """Updates move the bar; off a terminal a line appears for each evaluation, or every 10 s."""

    def __init__(self, steps: int, done: int = 0, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._bar = Progress(
            TextColumn("[bold]train"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=steps, completed=done)
        self._steps = steps
        self._last_line = -PLAIN_INTERVAL_S

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def note(self, line: str) -> None:
        self._console.print(line, markup=False)

    def update(self, update: Update) -> None:
        self._bar.update(self._task, completed=update.step, description=_figures(update))
        now = time.monotonic()
        is_quiet = self._console.is_terminal or now - self._last_line < PLAIN_INTERVAL_S
        if update.heldout_loss is not None or not is_quiet or update.skipped:
            self.note(f"step {update.step}/{self._steps}  {_figures(update)}{_heldout(update)}")
            self._last_line = now


def event_line(event: str, fields: Mapping[str, Any]) -> str:
    """One line for a person; empty for what is no news."""
    match event, fields:
        case "worker_lost", {"rank": rank, "pid": pid, "reason": reason}:
            return f"worker {rank} (pid {pid}) is lost: {reason}"
        case "worker_joined", {"pid": pid}:
            return f"a worker has joined (pid {pid})"
        case "worker_left", {"rank": rank, "pid": pid}:
            return f"worker {rank} (pid {pid}) has left"
        case "epoch_started", {"epoch": epoch, "world_size": size} if epoch:
            return f"{size} workers go on together (epoch {epoch})"
        case "waiting", {"workers": workers, "room": room}:
            return f"waiting for {workers} more workers; {room}"
        case "straggler", {"rank": rank, "pid": pid}:
            return f"worker {rank} (pid {pid}) is several times slower than its peers"
        case "poisoned_samples", {"step": step, "samples": samples, "is_skipped": True}:
            return f"step {step} goes on without {len(samples)} samples that have killed workers"
        case "fell_back", {"step": step, "steps_lost": lost}:
            place = f"the checkpoint of step {step}" if step else "the beginning"
            return f"going on from {place}: {lost} steps are done again"
        case "recovered", {"seconds": seconds, "steps_lost": lost}:
            return f"recovered after {seconds:.1f} s, {lost} steps lost"
    return ""


def _figures(update: Update) -> str:
    return (
        f"loss {update.loss:.3f}  lr {update.lr:.2e}  {update.tokens_per_second:,.0f} tokens/s"
        + ("  skipped: not finite" if update.skipped else "")
    )


def _heldout(update: Update) -> str:
    if update.heldout_loss is None:
        return ""
    bits = update.heldout_bits_per_byte
    return f"  held-out {update.heldout_loss:.3f} nats/token, {bits:.3f} bits/byte"
