"""Everything the routes use, opened in order and closed in the reverse."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import aiohttp
import structlog
from fastapi import Depends, Request

from raylm_apps.gateway.embedded import EmbeddedStores, StoreUrls
from raylm_apps.gateway.generations import Generations
from raylm_apps.gateway.providers.base import Provider, Sampling
from raylm_apps.gateway.providers.catalog import Catalog
from raylm_apps.gateway.providers.mock import MockProvider
from raylm_apps.gateway.providers.openai import OpenAIProvider
from raylm_apps.gateway.recovery import Recovery
from raylm_apps.gateway.settings import Settings
from raylm_apps.gateway.store.answers import AnswerWriter
from raylm_apps.gateway.store.migrate import migrate
from raylm_apps.gateway.store.pool import Database, OutageError
from raylm_apps.gateway.stream_writer import StreamWriter
from raylm_apps.gateway.streams import UNAVAILABLE, AnswerStreams
from raylm_apps.gateway.telemetry import Metrics

START_PATIENCE_S = 30.0
FLUSH_S = 5.0
REVIVE_EVERY_S = 0.5
# A small model left to itself rambles: what its makers recommend for chatting.
LOCAL_SAMPLING = {"temperature": 0.2, "top_p": 0.9}
logger = structlog.get_logger()


@dataclass(frozen=True)
class Services:
    settings: Settings
    metrics: Metrics
    database: Database
    streams: AnswerStreams
    stream_writer: StreamWriter
    answers: AnswerWriter
    generations: Generations
    recovery: Recovery
    catalog: Catalog


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Gateway = Annotated[Services, Depends(services_of)]


@asynccontextmanager
async def open_services(settings: Settings, metrics: Metrics) -> AsyncIterator[Services]:
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(_store_urls(settings))
        services = await _connect(stack, settings, metrics, urls)
        await _migrate(services.database)
        await stack.enter_async_context(_background(_loops(services)))
        stack.push_async_callback(services.stream_writer.drain, FLUSH_S)
        stack.push_async_callback(services.answers.drain, FLUSH_S)
        stack.push_async_callback(services.generations.drain, settings.drain_s)
        yield services


async def _connect(
    stack: AsyncExitStack, settings: Settings, metrics: Metrics, urls: StoreUrls
) -> Services:
    database = Database(urls.database_url)
    await database.open()
    stack.push_async_callback(database.close)
    streams = AnswerStreams(urls.redis_url)
    stack.push_async_callback(streams.close)
    stream_writer = StreamWriter(
        urls.redis_url, lease_s=settings.lease_s, ttl_s=settings.stream_ttl_s
    )
    stack.push_async_callback(stream_writer.close)
    client = await stack.enter_async_context(
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    )
    generations = Generations()
    recovery = Recovery(
        database,
        streams,
        generations,
        lease_s=settings.lease_s,
        stream_ttl_s=settings.stream_ttl_s,
    )
    answers = AnswerWriter(database)
    metrics.answers_active.set_function(generations.__len__)
    metrics.answers_unsaved.set_function(lambda: answers.backlog)
    return Services(
        settings,
        metrics,
        database,
        streams,
        stream_writer,
        answers,
        generations,
        recovery,
        Catalog(list(_providers(settings, client)), default=settings.model),
    )


def _providers(settings: Settings, client: aiohttp.ClientSession) -> Iterable[Provider]:
    if settings.engine_url is not None:
        sampling = Sampling(max_tokens=settings.max_answer_tokens, **LOCAL_SAMPLING)
        yield OpenAIProvider("raylm", settings.engine_url, client, sampling=sampling)
    if settings.openai_api_key is not None:
        key = settings.openai_api_key.get_secret_value()
        yield OpenAIProvider("openai", settings.openai_base_url, client, api_key=key)
    if settings.mock_provider:
        yield MockProvider()


def _loops(services: Services) -> list[Coroutine[Any, Any, None]]:
    return [
        services.stream_writer.run(),
        services.stream_writer.keep_leases(),
        services.answers.run(),
        services.generations.checkpoint_every(services.settings.checkpoint_every_s),
        services.recovery.sweep_every(2 * services.settings.lease_s),
        _obey_stops(services),
    ]


async def _obey_stops(services: Services) -> None:
    """Other processes' readers may want an answer stopped that is written here."""
    while True:
        try:
            async for key in services.streams.stops():
                await services.generations.stop(key)
        except UNAVAILABLE:
            await asyncio.sleep(1)


@asynccontextmanager
async def _background(loops: list[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(loop) for loop in loops]
    for task in tasks:
        task.add_done_callback(_report_crash)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _report_crash(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.critical("a background loop died", exc_info=error)


@asynccontextmanager
async def _store_urls(settings: Settings) -> AsyncIterator[StoreUrls]:
    """The stores named by the settings; what is not named runs here as child processes."""
    if settings.database_url is not None and settings.redis_url is not None:
        yield StoreUrls(settings.database_url, settings.redis_url)
        return
    stores = EmbeddedStores(
        settings.data_dir, database_url=settings.database_url, redis_url=settings.redis_url
    )
    urls = stores.start()  # on this thread, though it blocks: see EmbeddedStores
    try:
        async with _background([_revive(stores)]):
            yield urls
    finally:
        stores.stop()


async def _revive(stores: EmbeddedStores) -> None:
    while True:
        await asyncio.sleep(REVIVE_EVERY_S)
        for name in stores.revive():
            logger.error("a store had died and was started again", store=name)


async def _migrate(database: Database) -> None:
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
