"""An answer that several models say: each is paid at its own price, and no budget is exceeded."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from raylm.core.wire.events import Usage
from raylm.core.wire.failure import Failure
from raylm_apps.gateway.budgets.budgets import Budgets
from raylm_apps.gateway.budgets.meter import ReservationMeter
from raylm_apps.gateway.budgets.reservation import Reservation
from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.providers.base import ModelCard, Prices, ProviderError
from raylm_apps.gateway.store.pool import Database
from tests.apps.gateway.budgets.offices import PRICES, Case, office

pytestmark = pytest.mark.services
DEAR = ModelCard("dear/m", "m", "dear", prices=PRICES)
CHEAP = ModelCard("cheap/m", "m", "cheap", prices=Prices(input=0.5, output=2.0))


@pytest.fixture
async def case(database: Database) -> Case:
    return await Case.of_new_user(database)


@pytest.fixture
async def budgets(stores: StoreUrls, database: Database) -> AsyncIterator[Budgets]:
    async with office(stores, database) as budgets:
        yield budgets


def meter_of(budgets: Budgets, reservation: Reservation) -> ReservationMeter:
    return ReservationMeter(budgets, reservation, reservation.expected.input_tokens)


async def test_what_the_one_who_answers_costs(case: Case, budgets: Budgets) -> None:
    """And not what the dearest would have, for whom was reserved."""
    budget = await case.budget(micros=10_000)
    async with budgets.reserving(case.session, case.card, max_tokens=90) as reservation:
        assert await case.in_redis(budgets, budget) == (1, 90, 900)
        meter = meter_of(budgets, reservation)
        meter.began(CHEAP)
        meter.ended(Usage(10, 20))
    assert await case.in_redis(budgets, budget) == await case.in_ledger() == (1, 30, 45)


@pytest.mark.parametrize("limits", [{}, {"tokens": 10_000}])
async def test_who_broke_off_is_paid_too(
    case: Case, budgets: Budgets, limits: dict[str, int]
) -> None:
    """By the length of what came, at their own price; it is one request."""
    budget = await case.budget(**limits) if limits else None
    async with budgets.reserving(
        case.session, case.card, prompt_chars=300, max_tokens=90
    ) as reservation:
        meter = meter_of(budgets, reservation)
        meter.began(DEAR)
        meter.came(30)
        await meter.broke_off()
        meter.began(CHEAP)
        if budget is not None:
            assert await case.in_redis(budgets, budget) == (2, 110 + 110 + 90, 200 + 1010)
        meter.came(6)
        meter.ended(Usage(112, 4))
    await budgets.flush()
    assert await case.in_ledger() == (1, 110 + 116, 200 + 64)
    if budget is not None:
        assert await case.in_redis(budgets, budget) == (1, 226, 264)


async def test_the_last_one_to_break_off_is_paid_as_well(case: Case, budgets: Budgets) -> None:
    async with budgets.reserving(case.session, case.card, max_tokens=90) as reservation:
        meter = meter_of(budgets, reservation)
        for card, chars in ((CHEAP, 30), (DEAR, 9), (CHEAP, 0)):
            meter.began(card)
            meter.came(chars)
            await meter.broke_off()
        meter.ended(None)
    await budgets.flush()
    assert await case.in_ledger() == (1, 10 + 10 + 3, 20 + 10 + 30)


async def test_nobody_goes_on_who_could_not_be_paid(case: Case, budgets: Budgets) -> None:
    budget = await case.budget(tokens=100)
    async with budgets.reserving(case.session, case.card, max_tokens=90) as reservation:
        meter = meter_of(budgets, reservation)
        meter.began(DEAR)
        meter.came(60)
        with pytest.raises(ProviderError, match="the budget does not pay") as refusal:
            await meter.broke_off()
        assert refusal.value.failure is Failure.BROKEN_OFF
        meter.ended(None)
        reservation.used(Usage(1, 2))  # of something beside it, which was under way
    assert await case.in_redis(budgets, budget) == (1, 23, 230 - 9)
    assert await case.in_ledger() == (1, 23, 221)


async def test_200_answers_that_break_off_exceed_nothing(case: Case, budgets: Budgets) -> None:
    budget = await case.budget(tokens=3_000)

    async def answer() -> None:
        for reservation in await case.grants(budgets, 1):
            meter = meter_of(budgets, reservation)
            meter.began(DEAR)
            for _ in range(random.randint(0, 2)):
                meter.came(random.randint(1, 60))
                try:
                    await meter.broke_off()
                except ProviderError:
                    break
            else:
                expected = reservation.last.expected
                meter.ended(Usage(expected.input_tokens, random.randint(0, 90)))
            _, used, _ = await case.in_redis(budgets, budget)
            assert used <= 3_000
            budgets.settle(reservation)

    await asyncio.gather(*(answer() for _ in range(200)))
    await budgets.flush()
    requests, tokens, micros = await case.in_ledger()
    assert 0 < tokens <= 3_000
    assert await case.in_redis(budgets, budget) == (requests, tokens, micros)


async def test_without_a_budget_nothing_is_reserved_anew(case: Case, budgets: Budgets) -> None:
    reservation = await budgets.reserve(case.session, replace(case.card, id="some/free"))
    await budgets.extend(reservation, 10)
    assert reservation.last is reservation
    budgets.settle(reservation)
