"""SIGTERM ends a program as Ctrl-C does, by an exception; cleaning up hears neither."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

TERMINATED = 128 + signal.SIGTERM
HEARD = (signal.SIGINT, signal.SIGTERM)

Handlers = Mapping[signal.Signals, Callable[..., Any] | int | None]


def handlers() -> Handlers:
    return {number: signal.getsignal(number) for number in HEARD}


def install(chosen: Handlers) -> None:
    for number, handler in chosen.items():
        signal.signal(number, handler)


@contextmanager
def terminable() -> Iterator[None]:
    """SIGINT leaves the block as KeyboardInterrupt, SIGTERM as SystemExit(143)."""
    terminated = False

    def on_sigterm(number: int, frame: FrameType | None) -> NoReturn:
        nonlocal terminated
        terminated = True
        raise KeyboardInterrupt  # the one exception Ray lets through from wherever it waits

    before = handlers()
    install({signal.SIGINT: signal.default_int_handler, signal.SIGTERM: on_sigterm})
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if terminated:
            raise SystemExit(TERMINATED) from None
        raise
    finally:
        install(before)


@contextmanager
def deaf_afterwards() -> Iterator[None]:
    """However the block ends, a second Ctrl-C shall not cut the cleaning up short."""
    try:
        yield
    finally:
        install(dict.fromkeys(HEARD, signal.SIG_IGN))
