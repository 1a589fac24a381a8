import threading
import time

import pytest
import torch.distributed as dist

from raylm.collectives.meeting import ENDED, meet
from raylm.core.errors import CollectiveError, PeerLostError


def test_ranks_wait_for_each_other():
    store, came = dist.HashStore(), []

    def rank(number):
        meet(store, "epoch", number, 3, 10)
        came.append(number)

    threads = [threading.Thread(target=rank, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    assert came == []
    meet(store, "epoch", 2, 3, 10)
    for thread in threads:
        thread.join(5)
    assert sorted(came) == [0, 1]


def test_the_end_of_the_epoch_frees_who_waits():
    store = dist.HashStore()
    timer = threading.Timer(0.1, store.set, (ENDED, "1"))
    timer.start()
    began = time.monotonic()
    with pytest.raises(PeerLostError, match="rank 0 waited for epoch"):
        meet(store, "epoch", 0, 2, 30)
    assert time.monotonic() - began < 5


def test_who_does_not_come_is_named():
    with pytest.raises(
        CollectiveError, match=r"rank 0 waited 0.1 s for ranks \[1, 2\] to form epoch"
    ):
        meet(dist.HashStore(), "epoch", 0, 3, 0.1)
