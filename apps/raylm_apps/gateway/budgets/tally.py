"""Budgets' counters in Redis: what has been used in a window, and every open reservation in it.

A counter that is absent (a new window, a new budget, a Redis that has lost everything) is loaded
from PostgreSQL before anything is granted. Nothing is forgotten by that, and nothing counted twice:

- What was granted is in the journal of its process, whose row in `ledger_holders` is renewed. When
  Redis has lost everything its epoch is gone, and with it every grant: until each live process has
  written its journal, and said so, there is no new epoch. So what is loaded has all reservations.
- An end is first committed, then told here. The counter has the reservation, and gets the end's
  amount instead; or it was loaded by a snapshot that saw the commit; or by one that did not, then
  the amount is added. Told while there is no counter, it is noted (`missed`), and whoever is
  loading at that moment loads again. What is told has a number, and is heard once.
- What a dead process had reserved stays in the counter; `sweep_reservations` enters it for others.
"""

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from raylm_apps.gateway.budgets.counter import Amount, Counter
from raylm_apps.gateway.budgets.journal import Journal
from raylm_apps.gateway.budgets.reservation import Reservation
from raylm_apps.gateway.budgets.scripts import FINISH, INSTALL, LOOK, READ, RECOVER, RESERVE, SETTLE
from raylm_apps.gateway.counter_store import CounterStore
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.redis_client import UNAVAILABLE, Argument
from raylm_apps.gateway.store import ledger
from raylm_apps.gateway.store.pool import Database

EPOCH, RECOVERY = "budget:epoch", "budget:recovery"
AGAIN_S = 0.02
PATIENCE_S = 3.0
KEEP_S = 24 * 3600
GRANTED, LOST, ABSENT, FULL = range(4)


@dataclass(frozen=True)
class End:
    """`xid` is the transaction that has committed it."""

    id: str
    xid: int
    amount: Amount
    counters: Sequence[Counter]


class BudgetFullError(Exception):
    def __init__(self, kind: int, refusal: ApiError) -> None:
        super().__init__(str(refusal))
        self.kind = kind
        self.refusal = refusal


class Tally:
    def __init__(
        self,
        redis_url: str,
        database: Database,
        journal: Journal,
        lease_s: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = CounterStore(redis_url)
        self._database = database
        self._journal = journal
        self._lease_s = lease_s
        self._clock = clock
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def reserve(self, reservation: Reservation, now: datetime) -> None:
        """In all counters or none. Raises BudgetFullError, or one of UNAVAILABLE."""
        counters, needed = reservation.counters, reservation.reserved
        keys = [EPOCH, *(counter.key for counter in counters)]
        limits = [
            "" if most is None else most for counter in counters for most in counter.budget.limits
        ]
        while True:
            reply = await self._run(RESERVE, keys, [reservation.id, *needed.counts, *limits])
            match reply:
                case [0]:
                    return
                case [1]:
                    await self._patiently(self.recover())
                case [2, *places]:
                    for place in places:
                        await self._patiently(self._load(counters[place]))
                case [_, place, kind, used, open_count]:
                    refusal = counters[place].refusal(
                        kind, used, needed.counts[kind], open_count, now
                    )
                    raise BudgetFullError(kind, refusal)

    async def settle(self, number: int, ends: Sequence[End]) -> None:
        """Numbers ascend. Raises one of UNAVAILABLE; then the same is to be told again."""
        keys = list({counter.key: None for end in ends for counter in end.counters})
        places = {key: place for place, key in enumerate(keys, start=2)}
        told = [
            {
                "id": end.id,
                "xid": str(end.xid),
                "amount": end.amount.counts,
                "keys": [places[counter.key] for counter in end.counters],
            }
            for end in ends
        ]
        told_key = f"budget:told:{self._journal.holder_id}"
        await self._run(SETTLE, [told_key, *keys], [number, orjson.dumps(told)])

    async def read(self, counter: Counter) -> Amount:
        """With what is reserved."""
        while True:
            is_there, *counts = await self._run(READ, [EPOCH, counter.key], [])
            if is_there == GRANTED:
                return Amount(*counts)
            await (self.recover() if is_there == LOST else self._load(counter))

    async def recover(self) -> None:
        """Returns once Redis has an epoch. Every process with reservations must take part."""
        await self._once(EPOCH, self._recover)

    async def is_lost(self) -> bool:
        epoch, _ = await self._run(LOOK, [EPOCH, EPOCH], [])
        return epoch is None

    async def close(self) -> None:
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await self._store.close()

    async def _recover(self) -> None:
        while (
            nonce := await self._run(RECOVER, [EPOCH, RECOVERY], [uuid.uuid4().hex])
        ) is not None:
            await self._journal.flush()
            async with self._database.connection() as connection:
                alive = await ledger.holders(connection, self._lease_s)
            acks = f"{RECOVERY}:{nonce.decode()}"
            if await self._run(
                FINISH, [EPOCH, RECOVERY, acks], [nonce, self._journal.holder_id, *alive]
            ):
                return
            await asyncio.sleep(AGAIN_S)

    async def _load(self, counter: Counter) -> None:
        await self._once(counter.key, lambda: self._load_once(counter))

    async def _load_once(self, counter: Counter) -> None:
        missed_key, window = f"{counter.key}:missed", counter.window
        left_s = window.left_s(self._clock())
        lifetime_s = "" if left_s is None else round(left_s + KEEP_S)
        while True:
            epoch, missed = await self._run(LOOK, [EPOCH, missed_key], [])
            if epoch is None:
                return  # whoever reserves finds that out, and recovers first
            await (
                self._journal.flush()
            )  # what ended here before there was such a budget counts, too
            async with self._database.connection() as connection:
                found = await ledger.sum_of(
                    connection, counter.budget, counter.scope_id, window.first, window.end
                )
            given: list[Argument] = [epoch, missed or b"", found.snapshot, lifetime_s]
            given += [found.requests, found.tokens, found.micros]
            given += [word for reservation in found.open for word in reservation]
            if await self._run(INSTALL, [EPOCH, missed_key, counter.key], given):
                return

    async def _patiently(self, work: Coroutine[Any, Any, None]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await work

    async def _once(self, key: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """However many wait for the same, it is done once; whoever gives up stops nobody else."""
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(work())
            task.add_done_callback(lambda _: self._under_way.pop(key))
        await asyncio.shield(task)

    async def _run(self, script: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        if not self._store.is_up:
            raise ConnectionError("Redis was away a moment ago")
        try:
            return await self._store.run(script, keys, arguments)
        except UNAVAILABLE as error:
            self._store.note_outage(error)
            raise
