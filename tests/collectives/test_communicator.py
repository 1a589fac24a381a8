import subprocess
import sys
from pathlib import Path

import torch

from raylm.collectives.choose import connect
from tests.ranks import run_ranks

LEFT_RUNNING = """
import torch
from raylm.collectives.alone import AloneTransport
from raylm.collectives.communicator import Communicator

class Slow(AloneTransport):
    world_size = 2

    def fence(self, label):
        for _ in range(4):
            torch.randn(2_000_000).sort()
        print("done", flush=True)

    def close(self):
        print("closed", flush=True)

Communicator(Slow()).fence("the end")
"""


def test_a_program_may_end_while_a_collective_is_inside_of_torch():
    ended = subprocess.run([sys.executable, "-c", LEFT_RUNNING], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\nclosed\n", "")


def threads():
    """Of this process, those of torch included."""
    return sorted(task.name for task in Path("/proc/self/task").iterdir())


def threads_before_and_after(rank, link):
    before = threads()
    communicator = connect(torch.device("cpu"), link=link)
    communicator.gather_objects("value", "anything")
    during = threads()
    communicator.close()
    return before, during, threads()


def test_close_ends_all_threads_even_those_of_torch():
    for link in ("shared memory", "gloo"):
        for before, during, after in run_ranks(2, threads_before_and_after, link):
            assert len(during) > len(before)
            assert after == before


LEFT_OPEN = """
import sys
import torch
import torch.distributed as dist
from raylm.collectives.choose import connect

rank, store = int(sys.argv[1]), dist.FileStore(sys.argv[2], 2)
dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
print(connect(torch.device("cpu")).gather_objects(rank, "ranks"))
"""


def test_a_program_may_end_with_its_communicator_open(tmp_path):
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", LEFT_OPEN, str(rank), str(tmp_path / "store")],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for rank in ranks:
        assert rank.communicate(timeout=60)[0] == "[0, 1]\n"
        assert rank.returncode == 0
