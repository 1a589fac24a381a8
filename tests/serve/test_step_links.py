"""Real sockets, workers in threads."""

import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from raylm.serve.step_links import Link, Links, LostWorkerError


@contextmanager
def linked(count):
    links = Links("127.0.0.1")
    workers = []
    for rank in range(count):
        workers.append(Link(links.address, rank, 5.0))
        assert links.accept(5.0)
    try:
        yield links, workers
    finally:
        links.close()
        for worker in workers:
            worker.__exit__(None, None, None)


def memory(size):
    buffer = bytearray(size)
    return buffer, memoryview(buffer)


def test_every_worker_gets_the_message_and_some_answer():
    with linked(3) as (links, workers):
        links.send(b"step")
        assert [worker.receive() for worker in workers] == [b"step"] * 3
        (first, into_first), (last, into_last) = memory(3), memory(5)
        workers[2].send(memoryview(b"later"))
        workers[0].send(memoryview(b"now"))
        links.receive({0: into_first, 2: into_last}, 5.0)
        assert (first, last) == (b"now", b"later")


def test_an_answer_may_be_larger_than_a_socket_holds():
    answer = bytes(range(256)) * 40_000
    with linked(1) as (links, [worker]):
        sending = threading.Thread(target=worker.send, args=(memoryview(answer),))
        sending.start()
        found, into = memory(len(answer))
        links.receive({0: into}, 5.0)
        sending.join()
        assert found == answer


def test_a_worker_that_ends_is_known_at_once_whoever_is_waited_for():
    with linked(2) as (links, workers):
        workers[1].__exit__(None, None, None)
        started = time.monotonic()
        with pytest.raises(LostWorkerError, match="worker 1 has closed"):
            links.receive({0: memory(4)[1]}, 5.0)
        assert time.monotonic() - started < 2.5


def test_who_does_not_answer_in_time_is_named():
    with linked(2) as (links, workers):
        workers[0].send(memoryview(b"done"))
        with pytest.raises(TimeoutError, match="no answer from worker 1"):
            links.receive({0: memory(4)[1], 1: memory(4)[1]}, 0.1)


def test_workers_learn_that_the_engine_has_gone():
    with linked(1) as (links, [worker]):
        links.close()
        assert worker.receive() is None


def test_a_stranger_is_no_worker():
    links = Links("127.0.0.1")
    with Link(replace(links.address, token=bytes(16)), 0, 5.0) as stranger:
        assert not links.accept(5.0)
        assert stranger.receive() is None
    with socket.create_connection((links.address.host, links.address.port)):
        pass
    assert not links.accept(5.0)
    links.send(b"nobody hears it")
    links.close()
