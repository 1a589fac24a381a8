"""The stores at start-up: named by the settings, or started here; reached, and up to date."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog

from raylm.core.errors import InUseError, UsageError
from raylm_apps.gateway.background import background
from raylm_apps.gateway.embedded import EmbeddedStores, StoreUrls
from raylm_apps.gateway.settings import Settings
from raylm_apps.gateway.store.migrate import migrate
from raylm_apps.gateway.store.pool import Database, OutageError

START_PATIENCE_S = 30.0
REVIVE_EVERY_S = 0.5
logger = structlog.get_logger()


@asynccontextmanager
async def store_urls(settings: Settings) -> AsyncIterator[StoreUrls]:
    """The stores named by the settings; what is not named runs here as child processes."""
    if settings.database_url is not None and settings.redis_url is not None:
        yield StoreUrls(settings.database_url, settings.redis_url)
        return
    stores = EmbeddedStores(
        settings.data_dir, database_url=settings.database_url, redis_url=settings.redis_url
    )
    urls = stores.start()  # on this thread, though it blocks: see EmbeddedStores
    try:
        async with background([_revive(stores)]):
            yield urls
    finally:
        stores.stop()


@contextmanager
def existing_database(settings: Settings, data_dir: Path) -> Iterator[str]:
    """The named database, or the data folder's: where nobody runs it, it runs for the block."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    if not (data_dir / "postgres").is_dir():
        raise UsageError(
            f"{data_dir} has no database; name the folder that raylm up uses (--data-dir DIR), or "
            "set RAYLM_DATABASE_URL"
        )
    stores = EmbeddedStores(data_dir, redis_url="redis://not-needed")
    try:
        url = stores.start().database_url
    except InUseError:
        yield stores.database_url  # by whoever runs it
        return
    try:
        yield url
    finally:
        stores.stop()


async def _revive(stores: EmbeddedStores) -> None:
    while True:
        await asyncio.sleep(REVIVE_EVERY_S)
        for name in stores.revive():
            logger.error("a store had died and was started again", store=name)


async def migrate_patiently(database: Database) -> None:
    """Waits for a database that is still coming up; raises OutageError after a while."""
    deadline = asyncio.get_running_loop().time() + START_PATIENCE_S
    while True:
        try:
            for name in await migrate(database):
                logger.info("migrated", migration=name)
            return
        except OutageError as error:
            if asyncio.get_running_loop().time() > deadline:
                raise
            logger.warning("waiting for the database", error=str(error))
            await asyncio.sleep(1)
