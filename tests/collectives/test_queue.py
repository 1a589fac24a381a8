import threading
import time

import pytest

from raylm.collectives.queue import Handle, OrderedQueue


@pytest.fixture
def queue():
    queue = OrderedQueue("test")
    yield queue
    queue.close()
    assert not queue._thread.is_alive() or queue._error


def test_jobs_run_in_order_on_one_other_thread(queue):
    ran = []
    handles = [
        queue.submit(lambda i=i: ran.append((i, threading.current_thread()))) for i in range(200)
    ]
    handles[-1].wait()
    assert [i for i, _ in ran] == list(range(200))
    assert {thread for _, thread in ran} == {queue._thread}
    assert all(handle.is_done() for handle in handles)


def test_submitting_does_not_wait(queue):
    gate = threading.Event()
    handle = queue.submit(lambda: gate.wait(10) and None)
    assert not handle.is_done()
    gate.set()
    handle.wait()
    assert handle.is_done()


def test_a_failure_settles_what_is_under_way_and_what_is_to_come(queue):
    gate, ran = threading.Event(), []

    def fail():
        gate.wait(10)
        raise OSError("link down")

    first = queue.submit(lambda: ran.append("first"))
    failing, later = queue.submit(fail), queue.submit(lambda: ran.append("later"))
    gate.set()
    first.wait()
    raised = []
    for handle in (failing, later, later):
        with pytest.raises(OSError, match="link down") as caught:
            handle.wait()
        raised.append(caught.value)
    with pytest.raises(OSError, match="link down") as caught:
        queue.submit(lambda: ran.append("never"))
    assert {id(error) for error in raised} == {id(caught.value)}
    assert ran == ["first"]


def test_a_job_that_hangs_is_failed_from_outside_and_the_first_error_stays(queue):
    gate, started = threading.Event(), threading.Event()

    def hang():
        started.set()
        gate.wait(10)

    hanging, later = queue.submit(hang), queue.submit(lambda: None)
    started.wait(10)
    queue.fail(TimeoutError("first"))
    queue.fail(TimeoutError("second"))
    gate.set()
    for handle in (hanging, later):
        with pytest.raises(TimeoutError, match="first"):
            handle.wait()
    with pytest.raises(TimeoutError, match="first"):
        queue.submit(lambda: None)


def test_close_finishes_what_was_submitted_and_takes_no_more():
    queue, ran, gate = OrderedQueue("test"), [], threading.Event()
    queue.submit(lambda: gate.wait(0.2) and None)
    queue.submit(lambda: ran.append("last"))
    queue.close()
    assert ran == ["last"]
    with pytest.raises(RuntimeError, match="closed"):
        queue.submit(lambda: None)


def test_close_waits_no_longer_than_told():
    queue, gate = OrderedQueue("test"), threading.Event()
    queue.submit(lambda: gate.wait(30) and None)
    began = time.monotonic()
    queue.close(patience_s=0.2)
    assert 0.2 <= time.monotonic() - began < 5
    gate.set()


def test_finish_is_called_once_by_the_first_wait():
    calls = []
    handle = Handle.finished(lambda: calls.append("finish"))
    assert handle.is_done()
    assert calls == []
    handle.wait()
    handle.wait()
    assert calls == ["finish"]


def test_a_settled_handle_stays_as_it_is():
    handle = Handle()
    assert not handle.is_done()
    handle.settle(None)
    handle.settle(OSError("too late"))
    handle.wait()
