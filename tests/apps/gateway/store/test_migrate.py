import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from raylm.core.errors import StoreError
from raylm_apps.gateway.embedded import StoreUrls
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
    assert [migration.version for migration in migrations()] == [1, 2, 3, 4, 5]


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
async def test_a_database_from_the_future_is_refused(database: Database) -> None:
    await migrate(database, [ONE, NEXT])
    with pytest.raises(StoreError, match="at version 2 but this RayLM knows only 1; upgrade"):
        await migrate(database, [ONE])


@pytest.mark.services
async def test_the_real_ones(database: Database) -> None:
    assert await migrate(database) == [migration.name for migration in migrations()]
