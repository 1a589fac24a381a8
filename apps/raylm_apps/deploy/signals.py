"""SIGTERM ends a program as Ctrl-C does, by an exception; cleaning up hears neither."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

TERMINATED = 128 + signal.SIGTERM


@contextmanager
def restored() -> Iterator[None]:
    """Give back the handlers, which Ray and what runs here replace."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def raise_on_termination() -> None:
    """From now on SIGTERM raises SystemExit and SIGINT KeyboardInterrupt."""
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def deaf_afterwards() -> Iterator[None]:
    """However the block ends, a second Ctrl-C shall not cut the cleaning up short."""
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(TERMINATED)
