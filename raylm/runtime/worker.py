"""Worker: the actor base class. It joins a torch.distributed group and runs what it is told.

Derive from it and hand the class to a `WorkerGroup`. Ordinary methods run one at a time;
methods marked with `control` have threads of their own, so that a worker stuck in a
collective can still be asked how it is, or told to leave.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeVar

import ray
import torch

from raylm.collectives.choose import open_transport
from raylm.collectives.transport import Transport
from raylm.core.errors import SupersededError, UsageError
from raylm.runtime import rendezvous
from raylm.runtime.backend import Backend, backend_for
from raylm.runtime.owner import OwnerWatch
from raylm.runtime.recovery import recover
from raylm.runtime.replica import Keeping, Replicas
from raylm.runtime.resources import threads_per_worker
from raylm.runtime.session import node_address
from raylm.runtime.slot import Entry, Snapshot
from raylm.runtime.transfer import Intervals, even_share

_leaving = threading.Lock()  # a call that has failed, and who is told to, on another thread
_notice = threading.Event()  # SIGTERM: the machine will be gone soon
NAMESPACE = "raylm"  # of detached actors
CONTROL = "control"
CONTROL_THREADS = 2

_Method = TypeVar("_Method", bound=Callable[..., Any])


def control(method: _Method) -> _Method:
    """Marks a method that must answer while another one is running."""
    marked: _Method = ray.method(concurrency_group=CONTROL)(method)
    return marked


@dataclass(frozen=True, slots=True)
class Member:
    """One worker as the driver knows it. `rank` is -1 until it has joined a group."""

    rank: int
    pid: int
    node: str
    actor: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Vitals:
    """`is_leaving`: the machine has told this process that it is about to go. `own_work_s`: what
    the last step, number `step`, took without waiting for other ranks; None where that is not
    known."""

    is_leaving: bool
    step: int
    own_work_s: float | None


class Worker:
    """`rank`, `world_size`, `epoch` and `device` are known from `setup` on.

    An elastic group also needs `snapshot`, `restore` and `step`.
    """

    rank = -1
    world_size = 0
    epoch = -1
    device = torch.device("cpu")
    backend: Backend | None = None
    """Of the process group; None: gloo, with NCCL beside it for a GPU."""
    settles_itself = False
    """`step` calls `settle` right before it changes the state, and computes beside the copying."""
    _kept: tuple[Replicas, ...] = ()  # of this epoch, and of the one before until these have landed
    _is_set_up = False
    _timeout_s = 0.0
    _last: tuple[int, Any] = (0, None)
    _parts: frozenset[str] = frozenset()  # arrays known to be divided among the ranks
    _own_work_s: float | None = None
    _owner: OwnerWatch | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        is_actor = ray.is_initialized() and ray.get_runtime_context().get_actor_id() is not None
        if is_actor and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda number, frame: _notice.set())
        return super().__new__(cls)

    def setup(self) -> None:
        """Called once the worker has joined its first group; the place to build models and data."""

    def warm_up(self) -> None:
        """Called before the worker joins a group that is at work already and would wait for it:
        the place to read and import what `setup`, `restore` and `step` will need."""

    def snapshot(self) -> Snapshot:
        """This rank's part of the state: name -> (start, length, values), where `values` (1-D) are
        elements `start` on of `length` in all. Live memory will do: it is copied before `step`
        is called again, or `settle` returns in it. An array of which any rank gives a part is one
        that ranks divide among them; while there is one rank alone, it counts as whole."""
        raise self._lacks("snapshot")

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from this state, in the same form, as a rank of another group."""
        raise self._lacks("restore")

    def step(self, indices: Any) -> Any:
        """Do what the group's `step` was asked for; all ranks get the same `indices`."""
        raise self._lacks("step")

    @property
    def waited_s(self) -> float | None:
        """How long this rank has waited for others since it began; None: nobody has counted, and
        the group does not look for stragglers."""
        return None

    def wanted(self, held: Mapping[str, Sequence[Entry]]) -> Intervals:
        """What `restore` shall be given, from what the ranks before held of each name: an even
        part of the arrays that they had divided among them, the others whole."""
        lengths = {name: entries[0].length for name, entries in held.items()}
        share = even_share(lengths, self.rank, self.world_size)
        return {n: part if n in self._parts else range(lengths[n]) for n, part in share.items()}

    def settle(self) -> None:
        """Returns when the last step's state is held by its replicas and may change."""
        if self._kept:
            self._kept[-1].wait()
            self._kept = self._kept[-1:]

    @property
    def replica_bytes(self) -> int:
        """Of host memory that this rank's state, and its peers' from other nodes, take."""
        return sum(replicas.held_bytes for replicas in self._kept)

    def leave(self) -> None:
        """Leave the group at once, so that no peer waits for this rank."""
        for replicas in self._kept:
            replicas.close()
        if self.backend is not None:
            self.backend.abort()
            self.backend.destroy()

    def join_group(self, invitation: rendezvous.Invitation) -> None:
        self.rank = invitation.rank
        self.world_size = invitation.world_size
        self.epoch = invitation.epoch
        self._timeout_s = invitation.timeout_s
        self._take_device(invitation.local_world_size)
        one_host = invitation.local_world_size == invitation.world_size
        if interface := rendezvous.interface_of("127.0.0.1" if one_host else node_address()):
            os.environ["GLOO_SOCKET_IFNAME"] = interface
        self.backend = self.backend or backend_for(self.device)
        rendezvous.join(invitation, self.backend)
        if not self._is_set_up:
            self.setup()
            self._is_set_up = True

    def hold_from(self, step: int, keeping: Keeping) -> None:
        """Replicas of the state after `step`, and from now on of that after each."""
        if not self._kept:
            self._keep(step, self._open_transport(), keeping)
        self.settle()

    def inherit(self, keeping: Keeping | None) -> int:
        """Go on from the newest step that a former group has committed; the step."""
        transport = self._open_transport()
        recovered = recover(transport, self._kept, self._wanted)
        self.restore(recovered.snapshot)
        if keeping is not None:
            self._keep(recovered.step, transport, keeping)
        else:
            transport.close()
            self._kept = ()
        return recovered.step

    def advance(self, number: int, indices: Any) -> Any:
        """Step number `number`, whose state replicas hold while the next one computes."""
        if not self.settles_itself:
            self.settle()
        began, waited_s = time.monotonic(), self.waited_s
        result = self.step(indices)
        if waited_s is not None and self.waited_s is not None:
            self._own_work_s = time.monotonic() - began - (self.waited_s - waited_s)
        self._last = number, result
        if self._kept:
            self._hold(number)
        return self._last[1]

    def result_of(self, number: int) -> Any:
        """Of a step that was committed before its result was heard of; None where not known."""
        return self._last[1] if self._last[0] == number else None

    def _open_transport(self) -> Transport:
        return open_transport(torch.device("cpu"), timeout_s=self._timeout_s)

    def _keep(self, step: int, transport: Transport, keeping: Keeping) -> None:
        self._kept += (Replicas(transport, keeping, self.epoch),)
        self._hold(step)

    def _hold(self, step: int) -> None:
        taken = self.snapshot()
        self._parts |= {n for n, (_, length, values) in taken.items() if values.numel() < length}
        self._kept[-1].hold(step, taken, self._parts)

    def _wanted(self, held: Mapping[str, Sequence[Entry]]) -> Intervals:
        self._parts = frozenset(
            name
            for name, entries in held.items()
            if any(entry.is_part or entry.numel < entry.length for entry in entries)
        )
        return self.wanted(held)

    def _take_device(self, local_world_size: int) -> None:
        if ray.get_gpu_ids():
            self.device = torch.device("cuda", 0)  # Ray shows an actor its own GPUs only
            torch.cuda.set_device(self.device)
        else:
            is_linux = sys.platform == "linux"
            cores = len(os.sched_getaffinity(0)) if is_linux else os.cpu_count() or 1
            torch.set_num_threads(threads_per_worker(cores, local_world_size))

    def invoke(self, epoch: int, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a method; if it fails, leave the group at once so that no peer waits for us.

        A peer that is no ring neighbour of the failed rank would otherwise sit out the
        whole collective timeout. Raises SupersededError for a controller that is out of date.
        """
        if epoch < self.epoch:
            raise SupersededError(
                f"a controller of epoch {epoch} has called a worker of epoch {self.epoch}; it is "
                "out of date and must stop"
            )
        try:
            return getattr(self, method)(*args, **kwargs)
        except Exception:
            with _leaving:
                self.leave()
            raise

    @control
    def leave_group(self, epoch: int) -> None:
        """Not one of a later epoch: it may be told late."""
        if epoch >= self.epoch:
            with _leaving:
                self.leave()

    def get_ready(self) -> Member:
        self.warm_up()
        return self.identify()

    @control
    def identify(self) -> Member:
        context = ray.get_runtime_context()
        actor = context.get_actor_id()
        return Member(self.rank, os.getpid(), context.get_node_id(), actor or "")

    @control
    def vitals(self) -> Vitals:
        return Vitals(_notice.is_set(), self._last[0], self._own_work_s)

    @control
    def stay_with(self, owner: Any) -> None:
        """End this process once `owner`, an actor, is gone for good."""
        self._owner = self._owner or OwnerWatch()
        self._owner.stay_with(owner)

    def _lacks(self, method: str) -> UsageError:
        return UsageError(f"{type(self).__name__} has no {method}(), which elastic groups call")
