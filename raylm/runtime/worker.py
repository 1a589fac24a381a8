"""Worker: the actor base class. It joins a torch.distributed group and runs what it is told.

Derive from it and hand the class to a `WorkerGroup`. Ordinary methods run one at a time;
methods marked with `control` have threads of their own, so that a worker stuck in a
collective can still be asked how it is, or told to leave.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import ray
import torch

from raylm.runtime import rendezvous
from raylm.runtime.resources import threads_per_worker
from raylm.runtime.session import node_address

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


class Worker:
    """`rank`, `world_size`, `epoch` and `device` are known from `setup` on."""

    rank = -1
    world_size = 0
    epoch = -1
    device = torch.device("cpu")

    def setup(self) -> None:
        """Called once the worker has joined its group; the place to build models and data."""

    def join_group(self, invitation: rendezvous.Invitation) -> None:
        self.rank = invitation.rank
        self.world_size = invitation.world_size
        self.epoch = invitation.epoch
        self._take_device(invitation.local_world_size)
        one_host = invitation.local_world_size == invitation.world_size
        if interface := rendezvous.interface_of("127.0.0.1" if one_host else node_address()):
            os.environ["GLOO_SOCKET_IFNAME"] = interface
        rendezvous.join(invitation, self.device)
        self.setup()

    def _take_device(self, local_world_size: int) -> None:
        if ray.get_gpu_ids():
            self.device = torch.device("cuda", 0)  # Ray shows an actor its own GPUs only
            torch.cuda.set_device(self.device)
        else:
            is_linux = sys.platform == "linux"
            cores = len(os.sched_getaffinity(0)) if is_linux else os.cpu_count() or 1
            torch.set_num_threads(threads_per_worker(cores, local_world_size))

    def invoke(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a method; if it fails, leave the group at once so that no peer waits for us.

        A peer that is no ring neighbour of the failed rank would otherwise sit out the
        whole collective timeout.
        """
        try:
            return getattr(self, method)(*args, **kwargs)
        except Exception:
            rendezvous.leave()
            raise

    @control
    def leave_group(self) -> None:
        rendezvous.leave()

    @control
    def identify(self) -> Member:
        context = ray.get_runtime_context()
        actor = context.get_actor_id()
        return Member(self.rank, os.getpid(), context.get_node_id(), actor or "")
