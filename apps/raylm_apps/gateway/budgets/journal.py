"""What is granted and what has ended on its way to the ledger, in batches.

An answer that ends within one turn is written once; a longer one leaves its reservation in between,
so that a killed process forgets nothing that is older than a turn, or, where no budget asks for it,
than a second.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress

import asyncpg
import structlog

from raylm_apps.gateway.budgets.reservation import Reservation
from raylm_apps.gateway.store import ledger
from raylm_apps.gateway.store.ledger import Ended, Opened
from raylm_apps.gateway.store.pool import Database, OutageError

TURN_S = 0.05
UNASKED_S = 1.0
FIRST_RETRY_S, LAST_RETRY_S = 0.1, 2.0
log = structlog.get_logger()

Written = Callable[[int, Sequence[Reservation]], None]
"""Is told of the transaction, and of what has ended by it."""


class Journal:
    def __init__(self, database: Database, lease_s: float, written: Written) -> None:
        self.holder_id = uuid.uuid4().hex
        self._database = database
        self._lease_s = lease_s
        self._written = written
        self._new: dict[str, tuple[Reservation, float]] = {}
        self._open: dict[str, Reservation] = {}
        self._ended: dict[str, Reservation] = {}
        self._closing: list[Reservation] = []
        self._number = 0
        self._seen_at = float("-inf")
        self._waiting: list[asyncio.Event] = []
        self._wake, self._hurry = asyncio.Event(), asyncio.Event()

    def open(self, reservation: Reservation) -> None:
        self._new[reservation.id] = (reservation, time.monotonic())
        if reservation.counters:
            self._wake.set()

    def end(self, reservation: Reservation) -> bool:
        """False where it has ended before."""
        is_new = self._new.pop(reservation.id, None) is not None
        if not is_new and (reservation.id not in self._open or reservation.id in self._ended):
            return False
        self._ended[reservation.id] = reservation
        self._wake.set()
        return True

    @property
    def has_ends(self) -> bool:
        """Some are not written yet."""
        return bool(self._ended or self._closing)

    @property
    def is_used(self) -> bool:
        return self._number > 0

    async def flush(self) -> None:
        """All of this moment is durable, and others know that this process lives."""
        written = asyncio.Event()
        self._waiting.append(written)
        self._hurry.set()
        self._wake.set()
        await written.wait()

    def nudge(self) -> None:
        """Now and then, for what waits for its turn unasked."""
        if self._new:
            self._wake.set()

    @property
    def is_seen(self) -> bool:
        """Whoever grants must be known to all who would otherwise forget what it has granted."""
        return time.monotonic() - self._seen_at < self._lease_s / 2

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(TURN_S):
                    await self._hurry.wait()
            self._wake.clear()
            self._hurry.clear()
            waiting, self._waiting = self._waiting, []
            await self._write_all(self._take(everything=bool(waiting)))
            for written in waiting:
                written.set()

    def _take(self, *, everything: bool) -> list[Reservation]:
        """Those whose turn it is to be written as reserved."""
        old = time.monotonic() - UNASKED_S
        taken = [
            reservation
            for reservation, since in self._new.values()
            if everything or reservation.counters or since < old
        ]
        for reservation in taken:
            del self._new[reservation.id]
            self._open[reservation.id] = reservation
        return taken

    async def _write_all(self, new: Sequence[Reservation]) -> None:
        self._closing, self._ended = list(self._ended.values()), {}
        opened = [reservation.opened() for reservation in new]
        closed = [
            reservation.ended(was_opened=self._open.pop(reservation.id, None) is not None)
            for reservation in self._closing
        ]
        started_at = time.monotonic()
        xid = await self._write(opened, closed)
        self._seen_at = started_at
        ended, self._closing = self._closing, []
        if ended and xid is not None:
            self._written(xid, ended)

    async def _write(self, opened: Sequence[Opened], ended: Sequence[Ended]) -> int | None:
        """One transaction for all; where it is refused, one by one, to lose only what must be."""
        try:
            return await self._write_once(opened, ended)
        except asyncpg.PostgresError as error:
            if len(opened) + len(ended) <= 1:
                ids = [each.id for each in opened] + [each.id for each in ended]
                log.error("spending cannot be written", ids=ids, error=str(error))
                return None
        xids = [await self._write([each], []) for each in opened]
        xids += [await self._write([], [each]) for each in ended]
        return max((xid for xid in xids if xid is not None), default=None)

    async def _write_once(self, opened: Sequence[Opened], ended: Sequence[Ended]) -> int:
        """As often as it takes: under its number it counts once."""
        self._number += 1
        retry_s = FIRST_RETRY_S
        while True:
            try:
                async with self._database.connection() as connection:
                    return await ledger.write(
                        connection, self.holder_id, self._number, opened, ended
                    )
            except (OutageError, asyncpg.TransactionRollbackError) as error:
                log.warning("the ledger waits for the database", error=str(error))
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, LAST_RETRY_S)
