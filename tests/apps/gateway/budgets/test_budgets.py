"""Budgets under many requests at once, in several processes, whatever is lost in between."""

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import redis.asyncio

from raylm.core.wire.events import Usage
from raylm_apps.gateway.budgets.budgets import Budgets
from raylm_apps.gateway.budgets.reservation import Reservation
from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.store import budgets as stored
from raylm_apps.gateway.store import ledger
from raylm_apps.gateway.store.ledger import Ended, Entry
from raylm_apps.gateway.store.pool import Database
from raylm_apps.gateway.telemetry import Metrics
from tests.apps.gateway.budgets.offices import Case, office
from tests.apps.gateway.harness import free_port, new_id

pytestmark = pytest.mark.services


@pytest.fixture
async def case(database: Database) -> Case:
    return await Case.of_new_user(database)


@pytest.fixture
async def here(stores: StoreUrls, database: Database) -> AsyncIterator[Budgets]:
    async with office(stores, database) as budgets:
        yield budgets


@pytest.fixture
async def there(stores: StoreUrls, database: Database) -> AsyncIterator[Budgets]:
    async with office(stores, database) as budgets:
        yield budgets


async def lose_everything(stores: StoreUrls) -> None:
    client = redis.asyncio.Redis.from_url(stores.redis_url)
    await client.flushall()
    await client.aclose()


@pytest.mark.parametrize(
    ("limits", "granted"),
    [({"requests": 17}, 17), ({"tokens": 17 * 90 + 89}, 17), ({"micros": 17 * 900 + 899}, 17)],
)
async def test_of_200_at_once_in_two_processes_as_many_pass_as_there_is_room_for(
    case: Case, here: Budgets, there: Budgets, limits: dict[str, int], granted: int
) -> None:
    await case.budget(**limits)
    both = await asyncio.gather(*(case.grants(each, 100) for each in (here, there)))
    assert sum(map(len, both)) == granted


async def test_all_budgets_or_none(case: Case, here: Budgets) -> None:
    wide, narrow = await case.budget(requests=10), await case.budget("everyone", requests=2)
    assert len(await case.grants(here, 5)) == 2
    assert await case.in_redis(here, wide) == await case.in_redis(here, narrow) == (2, 180, 1800)


async def test_each_user_has_their_own(database: Database, here: Budgets) -> None:
    ada = await Case.of_new_user(database)
    await ada.budget("each", requests=2)
    babbage = await Case.of_new_user(database, card=ada.card)
    assert [len(await user.grants(here, 5)) for user in (ada, babbage)] == [2, 2]


async def test_a_refusal_tells_what_is_left_and_when_there_is_more(
    case: Case, stores: StoreUrls, database: Database
) -> None:
    now = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    async with office(stores, database, clock=lambda: now) as budgets:
        await case.budget(tokens=100)
        async with budgets.reserving(case.session, case.card, max_tokens=90) as reservation:
            with pytest.raises(ApiError) as soon:
                await budgets.reserve(case.session, case.card, max_tokens=20)
            reservation.used(Usage(0, 90))
        assert soon.value.headers == {"retry-after": "5"}  # it may not need all that is reserved
        with pytest.raises(ApiError) as refused:
            await budgets.reserve(case.session, case.card, max_tokens=20)
    assert refused.value.code == "rate_limit:budget"
    assert refused.value.headers == {"retry-after": "60"}
    assert refused.value.cause == (
        f"this month's budget of your account for {case.card.id}: 10 tokens of 100 tokens left, "
        "an answer may need 20 tokens; it starts anew at 2026-02-01T00:00Z"
    )


async def test_what_was_not_used_is_free_and_what_was_used_beyond_counts(
    case: Case, here: Budgets
) -> None:
    budget = await case.budget(tokens=100)
    async with here.reserving(case.session, case.card, max_tokens=90) as reservation:
        reservation.used(Usage(5, 5))
    assert await case.in_redis(here, budget) == (1, 10, 55)
    async with here.reserving(case.session, case.card, max_tokens=90) as reservation:
        reservation.used(Usage(100, 95))  # a provider that does not keep to max_tokens
    assert await case.in_redis(here, budget) == (2, 205, 55 + 1050)
    assert await case.in_ledger() == (2, 205, 55 + 1050)
    assert await case.grants(here, 1, tokens=1) == []


async def test_what_never_began_costs_nothing(case: Case, here: Budgets) -> None:
    budget = await case.budget(requests=1)
    with suppress(RuntimeError):
        async with here.reserving(case.session, case.card):
            raise RuntimeError("the provider is away")
    assert await case.in_redis(here, budget) == await case.in_ledger() == (0, 0, 0)
    assert len(await case.grants(here, 2)) == 1


async def test_an_answer_without_usage_is_counted_by_its_length(case: Case, here: Budgets) -> None:
    budget = await case.budget(tokens=10_000)
    with suppress(asyncio.CancelledError):
        async with here.reserving(case.session, case.card, prompt_chars=300) as reservation:
            for _ in range(10):
                reservation.came(30)
            raise asyncio.CancelledError
    assert await case.in_redis(here, budget) == (1, 200, 100 + 1000)
    assert await case.in_ledger() == (1, 200, 1100)


async def test_what_is_asked_besides_is_counted_but_no_request(case: Case, here: Budgets) -> None:
    budget = await case.budget(tokens=1)
    (payer,) = {await here.book.payer_of(case.session)}
    with here.beside(payer, case.card) as reservation:
        reservation.used(Usage(10, 1))
    assert await case.in_redis(here, budget) == (0, 11, 20)
    assert await case.grants(here, 1) == []


async def test_a_window_that_has_ended_takes_what_it_had_reserved(
    case: Case, stores: StoreUrls, database: Database
) -> None:
    now = [datetime(2026, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC)]
    async with office(stores, database, clock=lambda: now[0]) as budgets:
        budget = await case.budget(requests=1)
        async with budgets.reserving(case.session, case.card, max_tokens=90) as old:
            before, now[0] = now[0], now[0] + timedelta(microseconds=1)
            async with budgets.reserving(case.session, case.card, max_tokens=90) as new:
                new.used(Usage(1, 1))
            old.used(Usage(2, 2))
        assert await case.in_redis(budgets, budget, before) == (1, 4, 22)
        assert await case.in_redis(budgets, budget, now[0]) == (1, 2, 11)
        await lose_everything(stores)
        assert await case.in_redis(budgets, budget, before) == (1, 4, 22)
        assert await case.in_redis(budgets, budget, now[0]) == (1, 2, 11)


async def test_a_budget_that_is_new_counts_what_was_used_and_what_is_being_written(
    case: Case, here: Budgets, there: Budgets
) -> None:
    async with there.reserving(case.session, case.card, max_tokens=90) as ended:
        ended.used(Usage(3, 4))
    async with there.reserving(case.session, case.card, max_tokens=90) as going_on:
        await there.flush()
        budget = await case.budget(requests=2)
        for each in (here, there):
            each.book.forget()
        assert await case.in_redis(here, budget) == (2, 97, 43 + 900)
        assert await case.grants(here, 1) == []
        going_on.used(Usage(1, 1))
    await there.flush()
    assert await case.in_redis(here, budget) == (2, 9, 43 + 11)


async def test_a_budget_that_came_while_an_answer_was_begun_hears_of_it_at_its_end(
    case: Case, here: Budgets, there: Budgets
) -> None:
    """The counter was loaded before, and does not know of the reservation."""
    await there.book.applying(await there.book.payer_of(case.session), case.card.id)
    budget = await case.budget(requests=5)
    assert await case.in_redis(here, budget) == (0, 0, 0)
    async with there.reserving(case.session, case.card) as reservation:
        reservation.used(Usage(1, 1))
        there.book.forget()
        await there.book.applying(reservation.payer, case.card.id)
    await there.flush()
    assert await case.in_redis(here, budget) == (1, 2, 11)


async def test_a_budget_that_is_changed_or_deleted_while_answers_are_written(
    case: Case, here: Budgets
) -> None:
    budget = await case.budget(requests=1)
    (first,) = await case.grants(here, 2)
    async with case.database.transaction() as connection:
        await stored.change(connection, budget.id, {"requests": 3})
    here.book.forget()
    second, third = await case.grants(here, 5)
    async with case.database.transaction() as connection:
        await stored.change(connection, budget.id, {"requests": 1, "tokens": 10})
    here.book.forget()
    second.used(Usage(1, 1))
    here.settle(second)
    here.settle(second)  # twice is once
    assert await case.in_redis(here, budget) == (3, 182, 1811)
    assert await case.grants(here, 1) == []
    async with case.database.connection() as connection:
        await stored.delete(connection, budget.id)
    here.book.forget()
    assert len(await case.grants(here, 1)) == 1
    for each in (first, third):
        here.settle(each)
    assert await case.in_redis(here, budget) == (1, 2, 11)


async def test_who_gives_up_while_it_is_reserved_leaves_nothing(case: Case, here: Budgets) -> None:
    budget = await case.budget(requests=1_000)
    asking = [
        asyncio.create_task(here.reserve(case.session, case.card, max_tokens=90)) for _ in range(50)
    ]
    for delay, task in enumerate(asking):
        asyncio.get_running_loop().call_later(0.0005 * delay, task.cancel)
    results = await asyncio.gather(*asking, return_exceptions=True)
    held = [result for result in results if isinstance(result, Reservation)]
    assert await case.in_redis(here, budget) == (len(held), 90 * len(held), 900 * len(held))


async def test_a_redis_that_has_lost_everything_forgets_nothing(
    case: Case, here: Budgets, there: Budgets, stores: StoreUrls
) -> None:
    """Also not what another process was granted a moment ago, and has not written yet."""
    budget = await case.budget(requests=10)
    held = await case.grants(here, 4)
    held[0].used(Usage(1, 1))
    here.settle(held[0])
    held += await case.grants(there, 3)
    await lose_everything(stores)
    both = await asyncio.gather(*(case.grants(each, 20) for each in (there, here)))
    assert sum(map(len, both)) == 3
    assert await case.in_redis(here, budget) == (10, 9 * 90 + 2, 9 * 900 + 11)


async def test_nothing_is_exceeded_forgotten_or_counted_twice_in_an_hour_of_bad_luck(
    case: Case, here: Budgets, there: Budgets, stores: StoreUrls
) -> None:
    """Answers of all lengths in two processes, while Redis loses everything again and again."""
    limit = 40 * 90
    budget = await case.budget(tokens=limit)
    chance = random.Random(7)
    held: dict[str, int] = {}
    spent = [0, 0, 0]
    over: list[int] = []
    refused: set[str] = set()

    async def answer(budgets: Budgets) -> None:
        try:
            reservation = await budgets.reserve(case.session, case.card, max_tokens=90)
        except ApiError as error:
            refused.add(error.code)
            return
        held[reservation.id] = 90
        over.append(sum(held.values()) + spent[1] - limit)
        await asyncio.sleep(chance.choice((0, 0.001, 0.03, 0.2)))
        used = chance.choice((None, 0, 7, 20))
        if used is not None:
            reservation.used(Usage(0, used))
            spent[0] += 1
            spent[1] += used
            spent[2] += 10 * used
        del held[reservation.id]
        budgets.settle(reservation)

    async def asking(budgets: Budgets) -> None:
        for _ in range(30):
            await asyncio.gather(*(answer(budgets) for _ in range(5)))

    async def bad_luck() -> None:
        while True:
            await asyncio.sleep(chance.uniform(0.1, 0.5))
            await lose_everything(stores)

    flushing = asyncio.create_task(bad_luck())
    await asyncio.gather(asking(here), asking(there))
    flushing.cancel()
    await asyncio.gather(here.flush(), there.flush())
    assert max(over) <= 0
    assert refused <= {"rate_limit:budget", "offline:budget"}
    assert spent[0] > 20
    assert await case.in_ledger() == tuple(spent)
    assert await case.in_redis(here, budget) == tuple(spent)


HOLDER = """
import asyncio, sys
from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.store.pool import Database
from raylm.core.wire.events import Usage
from tests.apps.gateway.budgets.offices import Case, card, office
from dataclasses import replace

async def main(database_url, redis_url, user_id, model):
    database = Database(database_url)
    await database.open()
    case = Case(database, replace(card(), id=model), user_id)
    async with office(StoreUrls(database_url, redis_url), database, lease_s=1) as budgets:
        held = await case.grants(budgets, 3)
        held[0].used(Usage(4, 5))
        budgets.settle(held[0])
        await budgets.flush()
        print("holding", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("is_flushed", [False, True], ids=["redis stays", "redis is lost too"])
async def test_kill_9_of_a_process_with_reservations(
    case: Case, stores: StoreUrls, database: Database, *, is_flushed: bool
) -> None:
    budget = await case.budget(requests=4)
    command = [sys.executable, "-c", HOLDER, stores.database_url, stores.redis_url]
    process = subprocess.Popen([*command, case.user_id, case.card.id], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert b"holding\n" in iter(process.stdout.readline, b"")
        process.send_signal(signal.SIGKILL)
    if is_flushed:
        await lose_everything(stores)
    held = (3, 2 * 90 + 9, 2 * 900 + 54)
    async with office(stores, database, lease_s=1) as budgets:
        assert await case.in_redis(budgets, budget) == held
        assert len(await case.grants(budgets, 5)) == 1
        async with asyncio.timeout(20):
            while await case.in_ledger() != held:
                await asyncio.sleep(0.05)
        with_own = (4, held[1] + 90, held[2] + 900)
        assert await case.in_redis(budgets, budget) == with_own
        await lose_everything(stores)
        assert await case.in_redis(budgets, budget) == with_own
        assert await case.in_ledger() == held


async def test_who_was_believed_to_be_dead_and_is_not_enters_the_difference(
    case: Case, database: Database, stores: StoreUrls
) -> None:
    async with office(stores, database) as budgets:
        budget = await case.budget(requests=4)
        (reservation,) = await case.grants(budgets, 1)
        await budgets.flush()
        async with database.connection() as connection:
            await connection.execute(
                "delete from ledger_holders where id = $1", budgets._journal.holder_id
            )
            await ledger.sweep(connection, 15)
        assert await case.in_ledger() == (1, 90, 900)
        reservation.used(Usage(1, 1))
        budgets.settle(reservation)
        assert await case.in_redis(budgets, budget) == await case.in_ledger() == (1, 2, 11)


async def test_a_batch_is_entered_once_however_often_it_is_written(
    case: Case, database: Database
) -> None:
    hour, holder = datetime(2026, 5, 1, tzinfo=UTC), new_id()
    entry = Entry(hour, case.user_id, "", "", case.card.id, 1, 2, 3, 0, 4)
    ended = [Ended(new_id(), [entry])]
    async with database.connection() as connection:
        xids = [await ledger.write(connection, holder, 1, [], ended) for _ in range(3)]
        assert len(set(xids)) == 1
        assert await ledger.write(connection, holder, 2, [], ended) > xids[0]
    assert await case.in_ledger() == (2, 10, 8)


async def test_without_redis_those_without_a_budget_go_on(case: Case, database: Database) -> None:
    budgets = Budgets(f"redis://127.0.0.1:{free_port()}", database, Metrics())
    loops = [asyncio.create_task(loop) for loop in (budgets.run(), budgets.tell())]
    async with budgets.reserving(case.session, case.card) as reservation:
        reservation.used(Usage(1, 1))
    await budgets.flush()
    assert await case.in_ledger() == (1, 2, 11)
    await case.budget(requests=5)
    budgets.book.forget()
    for _ in range(3):
        with pytest.raises(ApiError) as refused:
            await budgets.reserve(case.session, case.card)
        assert (refused.value.code, refused.value.status) == ("offline:budget", 503)
    for loop in loops:
        loop.cancel()
    await budgets.close()


async def test_limits_can_be_lifted(case: Case, stores: StoreUrls, database: Database) -> None:
    async with office(stores, database, enforced=False) as budgets:
        await case.budget(requests=0)
        async with budgets.reserving(case.session, case.card) as reservation:
            reservation.used(Usage(1, 1))
        await budgets.flush()
    assert await case.in_ledger() == (1, 2, 11)
