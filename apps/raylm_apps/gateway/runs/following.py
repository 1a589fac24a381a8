"""A run's new metrics and events as server-sent events, as soon as they are written."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import orjson

from raylm_apps.gateway.answer_log import PING
from raylm_apps.gateway.runs.folder import EVENTS, METRICS
from raylm_apps.gateway.runs.lines import Lines, Place, read_after

LOOK_EVERY_S = 0.5
# A browser comes again by itself, from where it was; so a gateway that is to stop need not wait
# for a page that somebody has left open.
LONGEST_S = 30.0
RETRY = b"retry: 500\n\n"
EVENT_ID = r"^[0-9]{1,20}-[0-9]{1,18}_[0-9]{1,20}-[0-9]{1,18}$"


@dataclass(frozen=True)
class Reader:
    """How far both files have been read."""

    metrics: Place = field(default_factory=Place)
    events: Place = field(default_factory=Place)

    def __str__(self) -> str:
        return f"{self.metrics}_{self.events}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        if re.fullmatch(EVENT_ID, text) is None:
            raise ValueError(f"not a place in a run: {text[:60]!r}")
        metrics, events = text.split("_")
        return cls(Place.parse(metrics), Place.parse(events))


async def follow(run: Path, reader: Reader, heartbeat_s: float) -> AsyncGenerator[bytes, None]:
    """Ends after `LONGEST_S`, and when a file has been made anew: then all is to be read again."""
    yield RETRY
    until = time.monotonic() + LONGEST_S
    said_at = time.monotonic()
    while time.monotonic() < until:
        try:
            metrics, events = await asyncio.to_thread(_read, run, reader)
        except OSError:
            return  # it is being deleted; who comes again learns whether it is gone
        reader = replace(reader, metrics=metrics.place, events=events.place)
        if metrics.is_anew or events.is_anew:
            yield _frame(Reader(), {"isAnew": True})
            return
        if metrics.rows or events.rows:
            yield _frame(reader, {"metrics": metrics.rows, "events": events.rows})
            said_at = time.monotonic()
        elif time.monotonic() - said_at >= heartbeat_s:
            yield PING
            said_at = time.monotonic()
        await asyncio.sleep(LOOK_EVERY_S)


def _read(run: Path, reader: Reader) -> tuple[Lines, Lines]:
    return read_after(run, METRICS, reader.metrics), read_after(run, EVENTS, reader.events)


def _frame(reader: Reader, news: dict[str, object]) -> bytes:
    return b"id: %b\ndata: %b\n\n" % (str(reader).encode(), orjson.dumps(news))
