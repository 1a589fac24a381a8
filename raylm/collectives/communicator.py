"""Collectives of one group of ranks: in order, beside the computation, counted and watched."""

import atexit
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from raylm.collectives.buffer import Buffer
from raylm.collectives.queue import Finish, Handle, OrderedQueue
from raylm.collectives.recorder import Recorder
from raylm.collectives.transport import Transport
from raylm.collectives.watch import Watch
from raylm.core.errors import CollectiveError

_EXIT_S = 5.0  # how long the interpreter waits at its end for what is under way


class Communicator:
    """All ranks call the same methods in the same order, from one thread each.

    Methods that return a Handle return at once; memory they were given belongs to them until
    it has been waited for. Peers may read a source longer: until the next operation that waits
    for all ranks, such as a fence.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.rank = transport.rank
        self.world_size = transport.world_size
        self.recorder = Recorder()
        self.watch: Watch | None = None
        self._is_left = False
        threaded = transport.is_blocking and transport.world_size > 1
        self.queue = OrderedQueue("raylm-collectives") if threaded else None
        if self.queue is not None:  # its thread inside of torch would abort an ending interpreter
            atexit.register(self.close, _EXIT_S)

    @property
    def waited_s(self) -> float | None:
        """How long this rank has waited for operations so far; None: they wait in its stream."""
        return None if self.queue is None else self.queue.clock.waited_s

    def allocate(self, numel: int, dtype: torch.dtype, device: torch.device) -> Buffer:
        """Zeros that collectives work on without a copy; the same size on every rank."""
        allocated: list[Buffer] = []

        def job() -> None:
            allocated.append(self.transport.allocate(numel, dtype, device))

        self._run("allocate", "memory", 0, job).wait()
        return allocated[0]

    def reduce_scatter(
        self,
        source: Buffer,
        out: Tensor,
        label: str,
        accumulate: bool = False,
        fill: Callable[[Tensor], None] | None = None,
    ) -> Handle:
        """`out` (S) becomes, or grows by, the ranks' sum of part `rank` of their sources (N S).

        `fill` is called with the source's memory right before.
        """
        sent = source.local.nbytes // self.world_size * (self.world_size - 1)

        def job() -> Finish | None:
            if fill is not None:
                fill(source.local)
            return self.transport.reduce_scatter(source, out, accumulate, label)

        return self._run("reduce_scatter", label, sent, job)

    def all_gather(
        self, source: Buffer, out: Tensor, label: str, is_fenced: bool = False
    ) -> Handle:
        """`out` (N S) becomes every rank's source (S) in rank order.

        `is_fenced`: the sources have not changed since the last `fence`.
        """
        sent = source.local.nbytes * (self.world_size - 1)
        return self._run(
            "all_gather",
            label,
            sent,
            lambda: self.transport.all_gather(source, out, is_fenced, label),
        )

    def fence(self, label: str) -> Handle:
        """Done when every rank has come here: what each wrote before is seen by all."""
        return self._run("fence", label, 0, lambda: self.transport.fence(label))

    def all_reduce(self, tensor: Tensor, label: str) -> None:
        """Sum over the ranks, in place."""
        sent = 2 * (self.world_size - 1) * tensor.nbytes // self.world_size
        self._run("all_reduce", label, sent, lambda: self.transport.all_reduce(tensor)).wait()

    def broadcast(self, tensor: Tensor, label: str, root: int = 0) -> None:
        sent = tensor.nbytes * (self.world_size - 1) if self.rank == root else 0
        self._run("broadcast", label, sent, lambda: self.transport.broadcast(tensor, root)).wait()

    def exchange(self, parts: Sequence[Tensor], counts: Sequence[int], label: str) -> list[Tensor]:
        """Send `parts[r]` (1-D) to rank r; `counts[r]` elements from each rank r."""
        sent = sum(part.nbytes for r, part in enumerate(parts) if r != self.rank)
        received: list[Tensor] = []

        def job() -> None:
            received.extend(self.transport.exchange(parts, counts))

        self._run("exchange", label, sent, job).wait()
        return received

    def gather_objects(self, value: Any, label: str) -> list[Any]:
        """Each rank's small picklable value, in rank order."""
        values: list[Any] = []

        def job() -> None:
            values.extend(self.transport.gather_objects(value))

        self._run("gather_objects", label, 0, job).wait()
        return values

    def close(self, patience_s: float = math.inf) -> None:
        """Leave the group when what is under way is done, has failed or has taken too long."""
        if self._is_left:
            return
        self._is_left = True
        atexit.unregister(self.close)
        if self.queue is not None:
            self.queue.close(patience_s)
        if self.watch is not None:
            self.watch.close()
        self.transport.close()

    def abandon(self) -> None:
        """Leave at once, from any thread: what is under way fails, and no peer waits for it."""
        if self._is_left:
            return
        self._is_left = True
        atexit.unregister(self.close)
        if self.queue is not None:
            self.queue.fail(CollectiveError(f"rank {self.rank} has left the group"))
            self.queue.close()
        if self.watch is not None:
            self.watch.close()
        self.transport.close()

    def _run(self, kind: str, label: str, sent: int, job: Callable[[], Finish | None]) -> Handle:
        operation = self.recorder.begin(kind, label, sent)

        def recorded() -> Finish | None:
            finish = job()
            operation.is_done = True
            return finish

        if self.queue is not None:
            return self.queue.submit(recorded)
        return Handle.finished(recorded())
