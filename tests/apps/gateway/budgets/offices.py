"""What the tests of budgets share: gateways' budgets without the gateways."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.background import background
from raylm_apps.gateway.budgets.budgets import Budgets
from raylm_apps.gateway.budgets.counter import Amount, counter_of
from raylm_apps.gateway.budgets.reservation import Reservation
from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.providers.base import ModelCard, Prices
from raylm_apps.gateway.store import budgets as stored
from raylm_apps.gateway.store import usage, users
from raylm_apps.gateway.store.budgets import Budget, Period, Subject
from raylm_apps.gateway.store.ledger import Payer
from raylm_apps.gateway.store.pool import Database
from raylm_apps.gateway.telemetry import Metrics
from tests.apps.gateway.harness import new_id

# A reservation of `card()` for no prompt and 90 tokens: 90 tokens, 900 micro-dollars.
PRICES = Prices(input=1.0, output=10.0)


def card() -> ModelCard:
    """A model that no other test asks, so that no other test's budgets apply."""
    return ModelCard(f"some/{new_id()}", "model", "some", prices=PRICES)


@asynccontextmanager
async def office(stores: StoreUrls, database: Database, **options: Any) -> AsyncIterator[Budgets]:
    """As a process has it."""
    budgets = Budgets(stores.redis_url, database, Metrics(), **options)
    try:
        async with background([budgets.run(), budgets.tell(), budgets.keep()]):
            yield budgets
            await budgets.drain(10)
    finally:
        await budgets.close()


@dataclass
class Case:
    """A model, a user who asks it, and budgets for that."""

    database: Database
    card: ModelCard = field(default_factory=card)
    user_id: str = field(default_factory=new_id)

    @classmethod
    async def of_new_user(cls, database: Database, **options: Any) -> "Case":
        case = cls(database, **options)
        async with database.connection() as connection:
            await users.ensure(connection, case.user_id, is_guest=True)
        return case

    @property
    def session(self) -> Session:
        return Session(self.user_id, 0)

    async def budget(
        self, subject: Subject = "user", period: Period = "month", **limits: int
    ) -> Budget:
        subject_id = self.user_id if subject == "user" else None
        async with self.database.connection() as connection:
            added = await stored.add(connection, subject, subject_id, self.card.id, period, limits)
        assert added is not None
        return added

    async def grants(self, budgets: Budgets, times: int, tokens: int = 90) -> list[Reservation]:
        """Of so many that ask at once."""
        results = await asyncio.gather(
            *(budgets.reserve(self.session, self.card, max_tokens=tokens) for _ in range(times)),
            return_exceptions=True,
        )
        for result in results:
            assert isinstance(result, Reservation) or (
                isinstance(result, ApiError) and result.code == "rate_limit:budget"
            ), repr(result)
        return [result for result in results if isinstance(result, Reservation)]

    async def in_redis(
        self, budgets: Budgets, budget: Budget, now: datetime | None = None
    ) -> tuple[int, int, int]:
        await budgets.flush()
        payer = Payer(self.user_id)
        counter = counter_of(budget, payer, now or datetime.now(UTC))
        amount: Amount = await budgets._tally.read(counter)
        return amount.counts

    async def in_ledger(self) -> tuple[int, int, int]:
        """What has ended."""
        today = datetime.now(UTC).date()
        async with self.database.connection() as connection:
            rows = await usage.read(
                connection,
                today.replace(year=2020, day=1),
                today.replace(year=2100, day=1),
                ["model"],
            )
        rows = [row for row in rows if row.model == self.card.id]
        return (
            sum(row.requests for row in rows),
            sum(row.input_tokens + row.output_tokens for row in rows),
            sum(row.micros for row in rows),
        )
