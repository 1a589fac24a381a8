import time

import pytest

from raylm.collectives.recorder import Recorder
from raylm.collectives.watch import Watch, disagreement, latest


def test_latest_is_the_highest_number():
    assert latest({9: "fence of b", 11: "all_gather of c", 10: "fence of a"}) == (
        "#11 all_gather of c"
    )
    assert latest({}) == "nothing yet"


@pytest.mark.parametrize(
    "last",
    [
        {},
        {0: {}},
        {0: {1: "fence of a"}, 1: {}},
        {0: {1: "fence of a", 2: "fence of b"}, 1: {1: "fence of a"}},
        {0: {1: "fence of a"}, 1: {2: "fence of b"}},  # one is a whole memory ahead
    ],
)
def test_ranks_that_are_only_ahead_agree(last):
    assert disagreement(last) is None


def test_the_first_number_that_differs_is_named():
    found = disagreement(
        {
            0: {3: "fence of a", 4: "all_gather of b", 5: "fence of c"},
            1: {3: "fence of a", 4: "reduce_scatter of b", 5: "fence of d"},
            2: {3: "fence of a"},
        }
    )
    assert found == (
        "the ranks part at collective #4: rank 0: all_gather of b; rank 1: reduce_scatter of b; "
        "every rank must use the same modules in the same order"
    )


class MemoryStore(dict):
    def set(self, key, value):
        self[key] = value

    def get(self, key):
        return self[key].encode()

    def check(self, keys):
        return all(key in self for key in keys)


def watch(store, rank, recorder, timeout_s=0.0):
    failures = []
    watch = Watch(recorder, store, rank, 2, timeout_s, failures.append)
    watch.close()
    watch._thread.join()
    return watch


def test_one_rank_that_waits_too_long_tells_all():
    store, idle, busy = MemoryStore(), Recorder(), Recorder()
    idle.begin("fence", "a", 0).is_done = True
    busy.begin("fence", "a", 0).is_done = True
    busy.begin("all_gather", "b", 0)
    watches = [watch(store, 0, idle), watch(store, 1, busy)]
    for each in watches:
        each._publish()
    assert watches[0]._inspect() is None
    said = watches[1]._inspect()
    assert said == (
        "rank 1 waited 0 s in #2 all_gather of b; last of each rank: "
        "rank 0: #1 fence of a; rank 1: #2 all_gather of b"
    )
    assert watches[0]._inspect() == said


def test_nothing_is_suspected_before_its_time():
    store, recorder = MemoryStore({"operations/1": '{"1": "fence of b"}'}), Recorder()
    operation = recorder.begin("fence", "a", 0)
    late = watch(store, 0, recorder, timeout_s=60.0)
    late._publish()
    assert late._inspect() is None
    operation.began = time.monotonic() - 3
    assert "part at collective #1" in late._inspect()
