"""The budgets as the gateway uses them: reserve, use, settle; and what is left."""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from raylm.core.wire.events import Usage
from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.budgets.book import BudgetBook
from raylm_apps.gateway.budgets.counter import Amount, Counter, counter_of
from raylm_apps.gateway.budgets.estimate import expected_usage
from raylm_apps.gateway.budgets.journal import Journal
from raylm_apps.gateway.budgets.reservation import NOTHING, Reservation
from raylm_apps.gateway.budgets.tally import PATIENCE_S, BudgetFullError, End, Tally
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.redis_client import UNAVAILABLE
from raylm_apps.gateway.store import ledger
from raylm_apps.gateway.store.budgets import LIMITS
from raylm_apps.gateway.store.ledger import Payer
from raylm_apps.gateway.store.pool import Database, OutageError
from raylm_apps.gateway.telemetry import Metrics

LEASE_S = 15.0
POLL_S = 0.5
MOST_UNTOLD = 10_000
AWAY = (*UNAVAILABLE, OutageError)
logger = structlog.get_logger()


class Budgets:
    def __init__(
        self,
        redis_url: str,
        database: Database,
        metrics: Metrics,
        *,
        enforced: bool = True,
        lease_s: float = LEASE_S,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.book = BudgetBook(database)
        self._database = database
        self._metrics = metrics
        self._enforced = enforced
        self._lease_s = lease_s
        self._clock = clock
        self._journal = Journal(database, lease_s, self._written)
        self._tally = Tally(redis_url, database, self._journal, lease_s, clock)
        self._untold: deque[tuple[int, int, Sequence[Reservation]]] = deque(maxlen=MOST_UNTOLD)
        self._told_number = 0
        self._to_tell, self._all_told = asyncio.Event(), asyncio.Event()
        self._all_told.set()

    async def reserve(
        self,
        session: Session,
        card: ModelCard,
        *,
        prompt_chars: int = 0,
        images: int = 0,
        max_tokens: int | None = None,
    ) -> Reservation:
        """To be settled. Raises rate_limit:budget, or offline:budget while nobody can tell."""
        payer = await self.book.payer_of(session)
        expected = expected_usage(card, prompt_chars, images, max_tokens)
        return await self._granted(payer, card, expected)

    async def extend(self, reservation: Reservation, said_tokens: int) -> None:
        """For another model to go on with an answer: what was said so far is settled, and room for
        the rest reserved anew. Raises as `reserve` does."""
        last = reservation.last
        if not last.counters:
            return
        self.settle(last)
        expected = replace(last.expected, input_tokens=last.expected.input_tokens + said_tokens)
        try:
            last.extension = await self._granted(last.payer, last.card, expected, is_request=False)
        except ApiError:
            last.extension = self._beside(last.payer, last.card)  # for what is under way besides
            raise

    def settle(self, reservation: Reservation) -> None:
        """What it has used is spent, the rest is free again."""
        if reservation.extension is not None:
            self.settle(reservation.extension)
        reservation.close()
        if self._journal.end(reservation):
            card, usage = reservation.card, reservation.usage
            self._metrics.used(card.id, usage.input_tokens, usage.output_tokens, reservation.micros)

    @asynccontextmanager
    async def reserving(
        self,
        session: Session,
        card: ModelCard,
        prompt_chars: int = 0,
        max_tokens: int | None = None,
        images: int = 0,
    ) -> AsyncIterator[Reservation]:
        """Tell it what was `used`, or at least what `came`; otherwise it has cost nothing."""
        reservation = await self.reserve(
            session, card, prompt_chars=prompt_chars, images=images, max_tokens=max_tokens
        )
        try:
            yield reservation
        finally:
            self.settle(reservation)

    @contextmanager
    def beside(self, payer: Payer, card: ModelCard) -> Iterator[Reservation]:
        """For what nobody has asked for, such as a title: counted when it ends, never refused."""
        reservation = self._beside(payer, card)
        try:
            yield reservation
        finally:
            self.settle(reservation)

    async def applies_to(self, session: Session, card: ModelCard) -> bool:
        """Whether it is worth knowing how long a prompt will be."""
        if not self._enforced:
            return False
        return bool(await self.book.applying(await self.book.payer_of(session), card.id))

    async def of_session(self, session: Session) -> list[tuple[Counter, Amount]]:
        """What applies to them, and what is used and reserved of it. Raises offline:budget."""
        payer, now = await self.book.payer_of(session), self._clock()
        counters = [counter_of(budget, payer, now) for budget in await self.book.of_payer(payer)]
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._journal.flush()
                await self._all_told.wait()
                return [(counter, await self._tally.read(counter)) for counter in counters]
        except AWAY as error:
            raise _offline(error) from error

    async def flush(self) -> None:
        """Whatever has ended by now is in the ledger and told, unless that takes long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._journal.flush()
                await self._all_told.wait()

    async def run(self) -> None:
        await self._journal.run()

    async def tell(self) -> None:
        """Redis hears of each end once it is durable."""
        while True:
            await self._to_tell.wait()
            self._to_tell.clear()
            while self._untold:
                number, xid, ended = first = self._untold[0]
                try:
                    if ends := await self._ends(xid, ended):
                        await self._tally.settle(number, ends)
                except UNAVAILABLE:
                    await asyncio.sleep(POLL_S)
                    continue
                if self._untold[0] is first:  # the oldest give way, where there are too many
                    self._untold.popleft()
            self._all_told.set()

    async def keep(self) -> None:
        """Be seen to live, take part where Redis has lost its counters, and bury the dead."""
        seen_at = swept_at = float("-inf")
        while True:
            now = time.monotonic()
            self._journal.nudge()
            try:
                if self._journal.is_used and now - seen_at > self._lease_s / 4:
                    seen_at = now
                    await self._journal.flush()
                if self._journal.is_used and await self._tally.is_lost():
                    await self._tally.recover()
                if now - swept_at > self._lease_s:
                    swept_at = now
                    await self._sweep()
            except AWAY as error:
                logger.debug("budgets wait for a store", error=str(error))
            await asyncio.sleep(POLL_S)

    async def drain(self, timeout_s: float) -> None:
        """All is written; what is reserved still, whoever sweeps next enters as spent."""
        with suppress(*AWAY):
            async with asyncio.timeout(timeout_s):
                await self._journal.flush()
                await self._all_told.wait()
                async with self._database.connection() as connection:
                    await ledger.forget_holder(connection, self._journal.holder_id)

    async def close(self) -> None:
        await self._tally.close()

    async def _sweep(self) -> None:
        async with self._database.connection() as connection:
            count = await ledger.sweep(connection, self._lease_s)
        if count:
            logger.warning("what dead processes had reserved is spent", count=count)

    async def _granted(
        self, payer: Payer, card: ModelCard, expected: Usage, *, is_request: bool = True
    ) -> Reservation:
        applying = await self.book.applying(payer, card.id) if self._enforced else ()
        now = self._clock()
        counters = [counter_of(budget, payer, now) for budget in applying]
        reservation = Reservation(
            uuid.uuid4().hex, payer, card, now, expected, counters, self.book.version, is_request
        )
        if counters:
            await self._grant(reservation)
        self._journal.open(reservation)
        return reservation

    def _beside(self, payer: Payer, card: ModelCard) -> Reservation:
        now = self._clock()
        reservation = Reservation(uuid.uuid4().hex, payer, card, now, NOTHING, is_request=False)
        self._journal.open(reservation)
        return reservation

    async def _grant(self, reservation: Reservation) -> None:
        try:
            if not self._journal.is_seen:
                async with asyncio.timeout(PATIENCE_S):
                    await self._journal.flush()
            await self._reserve(reservation)
        except BudgetFullError as error:
            self._metrics.budget_refused(LIMITS[error.kind])
            raise error.refusal from None
        except AWAY as error:
            self._take_back(reservation)
            self._metrics.budget_refused("offline")
            raise _offline(error) from error
        except asyncio.CancelledError:
            self._take_back(reservation)
            raise

    async def _reserve(self, reservation: Reservation) -> None:
        """What has ended here a moment ago may be what is missing."""
        try:
            await self._tally.reserve(reservation, reservation.begun_at)
        except BudgetFullError:
            if not self._journal.has_ends and self._all_told.is_set():
                raise
            await self.flush()
            await self._tally.reserve(reservation, reservation.begun_at)

    def _take_back(self, reservation: Reservation) -> None:
        """Nobody knows whether it was granted."""
        self._journal.open(reservation)
        self._journal.end(reservation)

    def _written(self, xid: int, ended: Sequence[Reservation]) -> None:
        self._told_number += 1
        self._untold.append((self._told_number, xid, ended))
        self._all_told.clear()
        self._to_tell.set()

    async def _ends(self, xid: int, ended: Sequence[Reservation]) -> list[End]:
        with suppress(OutageError):
            await self.book.refresh()
        ends = [End(each.id, xid, each.spent, self._counters_now(each)) for each in ended]
        return [end for end in ends if end.counters]

    def _counters_now(self, reservation: Reservation) -> Sequence[Counter]:
        """Those it was granted by, and those that have come to apply since."""
        if reservation.book_version == self.book.version:
            return reservation.counters
        payer, model = reservation.payer, reservation.card.id
        counters = {counter.key: counter for counter in reservation.counters}
        for budget in self.book.known(payer, model):
            counter = counter_of(budget, payer, reservation.begun_at)
            counters.setdefault(counter.key, counter)
        return list(counters.values())


def _offline(error: BaseException) -> ApiError:
    logger.warning("a budget cannot be read", error=repr(error))
    return ApiError("offline:budget", retry_after_s=1)
