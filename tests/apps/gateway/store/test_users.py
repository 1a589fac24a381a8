"""What a guest has becomes the account's, whatever happens at the same moment."""

import asyncio
from datetime import UTC, date, datetime

import pytest

from raylm_apps.gateway.store import chats, folders, history, ledger, search, usage, users
from raylm_apps.gateway.store.exchanges import RefusedError
from raylm_apps.gateway.store.history import Shelf
from raylm_apps.gateway.store.ledger import Ended, Entry
from raylm_apps.gateway.store.pool import Database
from raylm_apps.gateway.store.users import MOVED, User
from tests.apps.gateway.harness import new_email, new_id
from tests.apps.gateway.storing import store_exchange

pytestmark = pytest.mark.services

# What belongs to an account alone: a guest has none of it.
ACCOUNTS = {"identities", "sessions", "api_keys", "proofs", "users", "teams", "team_members"}


async def store_chat(database: Database, guest: str) -> bool:
    async with database.transaction() as connection:
        try:
            await store_exchange(connection, guest, new_id())
        except RefusedError:
            return False
        await asyncio.sleep(0.002)
        return True


async def upgrade(database: Database, guest: str) -> User:
    async with database.transaction() as connection:
        user = await users.add(connection, new_id(), email=new_email(), name=None)
        assert user is not None
        await users.take_over(connection, guest, user.id)
    return user


async def count(database: Database, user_id: str) -> int:
    async with database.connection() as connection:
        return len(await history.page(connection, Shelf(user_id), 1_000))


async def test_chats_stored_at_the_same_moment_are_not_lost(database: Database) -> None:
    for _ in range(10):
        guest = new_id()
        writers = [store_chat(database, guest) for _ in range(12)]
        first, last = writers[:6], writers[6:]
        *stored, user = await asyncio.gather(*first, *last, upgrade(database, guest))
        assert await count(database, user.id) == stored.count(True)
        assert await count(database, guest) == 0


async def test_a_guest_goes_to_one_account(database: Database) -> None:
    guest = new_id()
    await asyncio.gather(*(store_chat(database, guest) for _ in range(5)))
    both = await asyncio.gather(upgrade(database, guest), upgrade(database, guest))
    assert sorted([await count(database, user.id) for user in both]) == [0, 5]
    assert not await store_chat(database, guest)


async def test_chats_stay_in_their_folders_and_are_found(database: Database) -> None:
    guest, chat = new_id(), new_id()
    async with database.transaction() as connection:
        await store_exchange(connection, guest, chat, title="Of rivers")
        folder = await folders.add(connection, guest, "Water", most=1)
        assert folder is not None
        await chats.update(connection, chat, guest, {"folder_id": folder.id})
    user = await upgrade(database, guest)
    async with database.connection() as connection:
        shelf = Shelf(user.id, folder=folder.id)
        assert [found.id for found in await history.page(connection, shelf, 10)] == [chat]
        assert [found.id for found in await folders.of_user(connection, user.id)] == [folder.id]
        hits = await search.page(connection, Shelf(user.id), "rivers", 10)
    assert [hit.chat.id for hit in hits] == [chat]


async def test_spending_is_added_to_the_accounts(database: Database) -> None:
    account = await upgrade(database, new_id())
    guests = [new_id() for _ in range(3)]
    for user_id in (*guests, account.id):
        assert await store_chat(database, user_id)
        await spend(database, user_id)
    async with database.transaction() as connection:
        for guest in guests:
            await users.take_over(connection, guest, account.id)
    assert await spent(database, account.id) == (4, 40, 8, 20)
    for guest in guests:
        assert await spent(database, guest) == (0, 0, 0, 0)


async def test_spending_is_the_accounts_whoever_enters_it_while_a_guest_signs_in(
    database: Database,
) -> None:
    account = await upgrade(database, new_id())
    for number in range(1, 11):
        guest = new_id()
        assert await store_chat(database, guest)
        writes = [spend(database, guest) for _ in range(6)]
        await asyncio.gather(*writes[:3], take_over(database, guest, account.id), *writes[3:])
        assert await spent(database, guest) == (0, 0, 0, 0)
        assert await spent(database, account.id) == tuple(
            6 * number * count for count in (1, 10, 2, 5)
        )


async def take_over(database: Database, guest: str, user_id: str) -> None:
    async with database.transaction() as connection:
        await users.take_over(connection, guest, user_id)


async def spend(database: Database, user_id: str) -> None:
    hour = datetime(2026, 1, 31, 23, tzinfo=UTC)
    entry = Entry(hour, user_id, "", "", "mock/echo", 1, 10, 2, 0, 5)
    async with database.transaction() as connection:
        await ledger.write(connection, new_id(), 1, [], [Ended(new_id(), [entry])])
        await asyncio.sleep(0.002)


async def spent(database: Database, user_id: str) -> tuple[int, ...]:
    async with database.connection() as connection:
        rows = await usage.read(connection, date.min, date.max, [], user_id)
    return tuple(
        sum(getattr(row, name) for row in rows)
        for name in ("requests", "input_tokens", "output_tokens", "micros")
    )


async def test_a_deleted_account_is_not_begun_again(database: Database) -> None:
    account = await upgrade(database, new_id())
    async with database.transaction() as connection:
        assert await users.ensure(connection, account.id, is_guest=False)
        await users.delete(connection, account.id)
        assert not await users.ensure(connection, account.id, is_guest=False)
        assert await users.find(connection, account.id) is None


async def test_a_guest_without_chats_is_closed_too(database: Database) -> None:
    guest = new_id()
    await upgrade(database, guest)
    assert not await store_chat(database, guest)


async def test_an_account_is_never_taken_over(database: Database) -> None:
    victim = await upgrade(database, new_id())
    assert await store_chat(database, victim.id)
    await upgrade(database, victim.id)
    assert await count(database, victim.id) == 1


async def test_every_table_of_a_users_rows_is_moved_or_an_accounts_alone(
    database: Database,
) -> None:
    async with database.connection() as connection:
        rows = await connection.fetch(
            """select conrelid::regclass::text as name from pg_constraint
               where contype = 'f' and confrelid = 'users'::regclass"""
        )
    assert {row["name"] for row in rows} == set(MOVED) | ACCOUNTS


@pytest.mark.parametrize(
    ("role", "verified", "is_admin"),
    [("admin", False, True), ("user", True, True), ("user", False, False)],
)
def test_a_named_address_counts_once_it_is_verified(
    role: users.Role, verified: bool, is_admin: bool
) -> None:
    user = User("id", "ada@example.com", None, "hash", verified, role)
    assert user.is_admin(frozenset({"ada@example.com"})) is is_admin
    assert user.is_admin(frozenset()) is (role == "admin")
