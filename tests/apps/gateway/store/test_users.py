"""What a guest has becomes the account's, whatever happens at the same moment."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.store import chats, users
from raylm_apps.gateway.store.migrate import migrate
from raylm_apps.gateway.store.pool import Database
from raylm_apps.gateway.store.users import MOVED, User
from tests.apps.gateway.harness import new_email, new_id

pytestmark = pytest.mark.services

# What belongs to an account alone: a guest has none of it.
ACCOUNTS = {"identities", "sessions", "api_keys", "users"}


@pytest.fixture
async def database(stores: StoreUrls) -> AsyncIterator[Database]:
    database = Database(stores.database_url)
    await database.open()
    await migrate(database)
    yield database
    await database.close()


async def store_chat(database: Database, guest: str) -> bool:
    async with database.transaction() as connection:
        if not await users.ensure_guest(connection, guest):
            return False
        await chats.ensure(connection, new_id(), guest, "title", "private")
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
        return len(await chats.page(connection, user_id, 1_000))


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
