import errno
import gc
import subprocess
import sys
import threading
import weakref

import pytest
import torch

from raylm.checkpoint.background import BackgroundWriter, Outcome


@pytest.fixture
def writer():
    return BackgroundWriter()


def test_nothing_happened_yet(writer):
    assert writer.poll() is None
    writer.wait()


def test_outcomes_come_once_and_in_order(writer):
    for number in range(3):
        writer.submit(lambda number=number: number)
    writer.wait()
    assert [writer.poll() for _ in range(4)] == [Outcome(0), Outcome(1), Outcome(2), None]


def test_the_job_runs_while_the_caller_goes_on(writer):
    go, thread = threading.Event(), []

    def job():
        thread.append(threading.current_thread())
        assert go.wait(10)

    writer.submit(job)
    assert writer.poll() is None
    go.set()
    writer.wait()
    assert writer.poll() == Outcome(None)
    assert thread[0] is not threading.current_thread()
    assert thread[0].daemon


def test_submit_waits_for_the_job_before(writer):
    go, second_submitted = threading.Event(), threading.Event()
    done = []
    writer.submit(lambda: done.append(go.wait(10)))

    def submit_second():
        writer.submit(lambda: done.append("second"))
        second_submitted.set()

    caller = threading.Thread(target=submit_second)
    caller.start()
    assert not second_submitted.wait(0.1)
    go.set()
    assert second_submitted.wait(10)
    caller.join()
    writer.wait()
    assert done == [True, "second"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), SystemExit(1)])
def test_a_failed_job_is_an_outcome_and_the_next_one_runs(writer, error):
    def fail():
        raise error

    writer.submit(fail)
    writer.submit(lambda: "fine")
    writer.wait()
    assert writer.poll() == Outcome(error=error)
    assert writer.poll() == Outcome("fine")


def test_a_finished_job_frees_its_tensors(writer):
    snapshot = torch.zeros(1000)
    alive = weakref.ref(snapshot)
    writer.submit(lambda kept=snapshot: None)
    del snapshot
    writer.wait()
    gc.collect()
    assert alive() is None


LEFT_WRITING = """
import pathlib, sys, torch
from raylm.checkpoint.background import BackgroundWriter

def job():
    for _ in range(4):
        torch.randn(2_000_000).sort()
    pathlib.Path(sys.argv[1]).write_text("written")

BackgroundWriter().submit(job)
"""


def test_a_program_that_ends_finishes_what_it_writes(tmp_path):
    file = tmp_path / "file"
    subprocess.run([sys.executable, "-c", LEFT_WRITING, str(file)], check=True)
    assert file.read_text() == "written"


def test_a_closed_writer_leaves_no_thread(writer):
    writer.submit(lambda: 1)
    writer.close()
    assert writer.poll() == Outcome(1)
    assert not writer._thread.is_alive()
