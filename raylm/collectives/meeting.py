"""Ranks meet at a store before they form a group, for forming one waits out its whole timeout
when a rank has died.

Whoever controls the ranks may end their epoch meanwhile: that frees all who wait.
"""

import time

from torch.distributed.distributed_c10d import Store

from raylm.core.errors import CollectiveError, PeerLostError

ENDED = "ended"
_LOOK_S = 0.002


def meet(store: Store, name: str, rank: int, world_size: int, timeout_s: float) -> None:
    """Returns when every rank has called it. Raises PeerLostError when the epoch has ended, and
    CollectiveError naming who has not come."""
    store.set(f"{name}/{rank}", "here")
    store.add(f"{name}/present", 1)
    deadline = time.monotonic() + timeout_s
    while store.add(f"{name}/present", 0) < world_size:
        if store.check([ENDED]):
            raise PeerLostError(f"the epoch ended while rank {rank} waited for {name}")
        if time.monotonic() > deadline:
            missing = [o for o in range(world_size) if not store.check([f"{name}/{o}"])]
            raise CollectiveError(
                f"rank {rank} waited {timeout_s:g} s for ranks {missing} to form {name}"
            )
        time.sleep(_LOOK_S)
