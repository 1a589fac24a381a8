import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from raylm.core.errors import StoreError
from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.store import messages, search
from raylm_apps.gateway.store.history import Shelf
from raylm_apps.gateway.store.migrate import Migration, migrate, migrations
from raylm_apps.gateway.store.pool import Database

ONE = Migration(1, "0001_one", "create table one (a int); create table two (b int)")
NEXT = Migration(2, "0002_next", "alter table one add column c int")
BROKEN = Migration(2, "0002_broken", "alter table one add column c int; select nonsense")


@pytest.fixture
async def database(stores: StoreUrls) -> AsyncIterator[Database]:
    """An empty one beside the gateway's."""
    connection = await asyncpg.connect(stores.database_url)
    await connection.execute("drop database if exists empty")
    await connection.execute("create database empty")
    await connection.close()
    database = Database(stores.database_url.replace("/postgres?", "/empty?"))
    await database.open()
    yield database
    await database.close()


def test_the_files_are_numbered() -> None:
    assert [migration.version for migration in migrations()] == [*range(1, len(migrations()) + 1)]


def test_a_gap_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("")
    (tmp_path / "0003_c.sql").write_text("")
    with pytest.raises(StoreError, match="without a gap"):
        migrations(tmp_path)


@pytest.mark.services
async def test_each_is_applied_once(database: Database) -> None:
    assert await migrate(database, [ONE]) == ["0001_one"]
    assert await migrate(database, [ONE, NEXT]) == ["0002_next"]
    assert await migrate(database, [ONE, NEXT]) == []


@pytest.mark.services
async def test_many_processes_starting_together(database: Database) -> None:
    applied = await asyncio.gather(*(migrate(database, [ONE, NEXT]) for _ in range(6)))
    assert sorted(applied) == [[]] * 5 + [["0001_one", "0002_next"]]


@pytest.mark.services
async def test_a_broken_one_changes_nothing(database: Database) -> None:
    await migrate(database, [ONE])
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(database, [ONE, BROKEN])
    assert await migrate(database, [ONE, NEXT]) == ["0002_next"]


@pytest.mark.services
async def test_one_takes_longer_than_commands_may(database: Database, stores: StoreUrls) -> None:
    await database.close()
    url = stores.database_url.replace("/postgres?", "/empty?")
    database._pool = await asyncpg.create_pool(url, min_size=0, command_timeout=0.2)
    slow = Migration(1, "0001_slow", "select pg_sleep(0.5)")
    assert await migrate(database, [slow]) == ["0001_slow"]


@pytest.mark.services
async def test_a_database_from_the_future_is_refused(database: Database) -> None:
    await migrate(database, [ONE, NEXT])
    with pytest.raises(StoreError, match="at version 2 but this RayLM knows only 1; upgrade"):
        await migrate(database, [ONE])


@pytest.mark.services
@pytest.mark.parametrize("version", range(len(migrations()) + 1))
async def test_the_real_ones_from_every_earlier_version(database: Database, version: int) -> None:
    known = migrations()
    await migrate(database, known[:version])
    if version:
        async with database.connection() as connection:
            await connection.execute(CHAT_OF_VERSION_1)
    assert await migrate(database) == [migration.name for migration in known[version:]]
    assert await migrate(database) == []
    async with database.connection() as connection:
        if not version:
            await connection.execute(CHAT_OF_VERSION_1)
        path = await messages.path(connection, "chat-0001", "user-0001")
        for query in ("rivers", "rhi", "resume", "河流"):
            hits = await search.page(connection, Shelf("user-0001"), query, 10)
            assert [hit.chat.title for hit in hits] == ["Water"], query
    assert [message.text for message in path] == [
        "Name a river",
        "The “Rhine” is one: résumé, 大河流",
    ]


CHAT_OF_VERSION_1 = """
insert into users (id) values ('user-0001');
insert into chats (id, user_id, title) values ('chat-0001', 'user-0001', 'Water');
insert into messages (chat_id, id, parent_id, role, parts) values
    ('chat-0001', 'q', null, 'user', '[{"type": "text", "text": "Name a river"}]');
insert into messages (chat_id, id, parent_id, role, status, model, parts) values
    ('chat-0001', 'a', 'q', 'assistant', 'complete', 'mock/echo',
     '[{"type": "step-start"}, {"type": "text", "text": "The “Rhine” is one: résumé, 大河流"}]');
"""
