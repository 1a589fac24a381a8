"""Everything the routes use, opened in order and closed in the reverse."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import aiohttp
from fastapi import Depends, Request
from pydantic import SecretStr

from raylm_apps.gateway.accounts.accounts import Accounts
from raylm_apps.gateway.accounts.github import GitHub
from raylm_apps.gateway.accounts.google import Google
from raylm_apps.gateway.accounts.identity import ProviderName
from raylm_apps.gateway.accounts.oauth import Credentials, OAuthProvider
from raylm_apps.gateway.accounts.passwords import Passwords
from raylm_apps.gateway.accounts.proofs import Proofs
from raylm_apps.gateway.accounts.session import Signing
from raylm_apps.gateway.accounts.sessions import Sessions
from raylm_apps.gateway.background import background
from raylm_apps.gateway.budgets.budgets import Budgets
from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.engine.engine import Engine
from raylm_apps.gateway.entitlements import Entitlements
from raylm_apps.gateway.files.extraction import Extractor
from raylm_apps.gateway.files.objects import ObjectStore
from raylm_apps.gateway.files.uploads import Uploads
from raylm_apps.gateway.generations import Generations
from raylm_apps.gateway.inbound.answer_cache import AnswerCache
from raylm_apps.gateway.limits import Limits
from raylm_apps.gateway.mail.outbox import Outbox, Postage
from raylm_apps.gateway.providers.base import Provider
from raylm_apps.gateway.providers.exchange_log import logged
from raylm_apps.gateway.providers.guardrails import guarded, load_guardrails
from raylm_apps.gateway.readers import Readers
from raylm_apps.gateway.recovery import Recovery
from raylm_apps.gateway.redis_client import UNAVAILABLE
from raylm_apps.gateway.routing.catalog import Catalog
from raylm_apps.gateway.routing.circuit_board import CircuitBoard
from raylm_apps.gateway.routing.offer import Offer
from raylm_apps.gateway.routing.reading import follow_file, read_offer
from raylm_apps.gateway.routing.router import Router
from raylm_apps.gateway.routing.watching import RoutingWatch
from raylm_apps.gateway.runs.shelf import Runs
from raylm_apps.gateway.settings import Settings
from raylm_apps.gateway.slots import Slots
from raylm_apps.gateway.store.answers import AnswerWriter
from raylm_apps.gateway.store.pool import Database
from raylm_apps.gateway.stores import migrate_patiently, store_urls
from raylm_apps.gateway.stream_writer import StreamWriter
from raylm_apps.gateway.streams import AnswerStreams
from raylm_apps.gateway.telemetry import Metrics
from raylm_apps.gateway.titles import Titles
from raylm_apps.gateway.tools.base import Tool
from raylm_apps.gateway.tools.documents import document_tools
from raylm_apps.gateway.tools.mcp_config import read_mcp_config
from raylm_apps.gateway.tools.registry import Registry
from raylm_apps.gateway.tools.watching import ToolWatch
from raylm_apps.gateway.tools.weather import GetWeather
from raylm_apps.gateway.tracing import Tracing

if TYPE_CHECKING:
    from raylm_apps.gateway.tools.mcp import McpConnection

FLUSH_S = 5.0


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
    circuits: CircuitBoard
    read_offer: Callable[[], Offer]
    signing: Signing
    sessions: Sessions
    accounts: Accounts
    outbox: Outbox
    proofs: Proofs
    limits: Limits
    slots: Slots
    budgets: Budgets
    readers: Readers
    entitlements: Entitlements
    oauth: dict[ProviderName, OAuthProvider]
    titles: Titles
    tools: Registry
    tool_watch: ToolWatch
    mcp_connections: "Sequence[McpConnection]"
    uploads: Uploads
    answer_cache: AnswerCache
    engine: Engine | None
    runs: Runs


async def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Gateway = Annotated[Services, Depends(services_of)]


@asynccontextmanager
async def open_services(
    settings: Settings, metrics: Metrics, tracing: Tracing
) -> AsyncIterator[Services]:
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(store_urls(settings))
        services = await _connect(stack, settings, metrics, tracing, urls)
        await migrate_patiently(services.database)
        await stack.enter_async_context(background(_loops(services)))
        stack.push_async_callback(services.budgets.drain, FLUSH_S)
        stack.push_async_callback(services.stream_writer.drain, FLUSH_S)
        stack.push_async_callback(services.answers.drain, FLUSH_S)
        stack.push_async_callback(services.titles.close)
        stack.push_async_callback(services.generations.drain, settings.drain_s)
        yield services


async def _connect(
    stack: AsyncExitStack,
    settings: Settings,
    metrics: Metrics,
    tracing: Tracing,
    urls: StoreUrls,
) -> Services:
    database = await _database(stack, metrics, tracing, urls)
    client = await stack.enter_async_context(
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),  # one user's answer says nothing to the next
        )
    )
    read = partial(read_offer, settings, client, _watching(settings, tracing))
    catalog, circuits = _catalog(stack, settings, metrics, urls, read())
    streams = AnswerStreams(urls.redis_url)
    stack.push_async_callback(streams.close)
    answers, generations = AnswerWriter(database), Generations(tracing)
    metrics.answers_active.set_function(generations.__len__)
    metrics.answers_unsaved.set_function(lambda: answers.backlog)
    sessions, accounts, proofs, outbox = _accounts(stack, settings, metrics, database)
    limits, slots = _limits(stack, settings, urls)
    budgets = Budgets(urls.redis_url, database, metrics, enforced=settings.limits == "on")
    stack.push_async_callback(budgets.close)
    tools, mcp_connections = _tools(settings, client, database)
    return Services(
        settings=settings,
        metrics=metrics,
        database=database,
        streams=streams,
        stream_writer=_stream_writer(stack, settings, metrics, urls),
        answers=answers,
        generations=generations,
        recovery=_recovery(settings, database, streams, generations),
        catalog=catalog,
        circuits=circuits,
        read_offer=read,
        signing=Signing.of(settings.signing_key()),
        sessions=sessions,
        accounts=accounts,
        outbox=outbox,
        proofs=proofs,
        limits=limits,
        slots=slots,
        budgets=budgets,
        readers=Readers(enforced=settings.limits == "on"),
        entitlements=Entitlements(settings),
        oauth={provider.name: provider for provider in _oauth_providers(settings)},
        titles=Titles(catalog, database, budgets, settings.title_model, settings.title_timeout_s),
        tools=tools,
        tool_watch=ToolWatch(metrics.registry, tracing),
        mcp_connections=mcp_connections,
        uploads=_uploads(settings, metrics, database),
        answer_cache=_answer_cache(stack, urls),
        engine=_engine(settings, client),
        runs=Runs(settings.runs),
    )


async def _database(
    stack: AsyncExitStack, metrics: Metrics, tracing: Tracing, urls: StoreUrls
) -> Database:
    database = Database(
        urls.database_url, tracing=tracing, on_outage=partial(metrics.outage, "postgresql")
    )
    await database.open()
    stack.push_async_callback(database.close)
    return database


def _stream_writer(
    stack: AsyncExitStack, settings: Settings, metrics: Metrics, urls: StoreUrls
) -> StreamWriter:
    writer = StreamWriter(
        urls.redis_url,
        lease_s=settings.lease_s,
        ttl_s=settings.stream_ttl_s,
        on_outage=partial(metrics.outage, "redis"),
    )
    stack.push_async_callback(writer.close)
    return writer


def _recovery(
    settings: Settings, database: Database, streams: AnswerStreams, generations: Generations
) -> Recovery:
    lease_s, ttl_s = settings.lease_s, settings.stream_ttl_s
    return Recovery(database, streams, generations, lease_s=lease_s, stream_ttl_s=ttl_s)


def _watching(settings: Settings, tracing: Tracing) -> Callable[[Provider], Provider]:
    """What stands between the gateway and every provider."""
    guardrails = load_guardrails(settings.guardrails)

    def watched(provider: Provider) -> Provider:
        seen = logged(tracing.watch(provider), wanted=settings.log_exchanges)
        return guarded(seen, guardrails)

    return watched


def _catalog(
    stack: AsyncExitStack, settings: Settings, metrics: Metrics, urls: StoreUrls, offer: Offer
) -> tuple[Catalog, CircuitBoard]:
    watch = RoutingWatch(metrics.registry)
    circuits = CircuitBoard(urls.redis_url, on_change=watch.circuit)
    stack.push_async_callback(circuits.close)
    return Catalog(Router(circuits, watch), offer, default=settings.model), circuits


def _accounts(
    stack: AsyncExitStack, settings: Settings, metrics: Metrics, database: Database
) -> tuple[Sessions, Accounts, Proofs, Outbox]:
    admin_emails = frozenset(settings.admin_emails)
    sessions = Sessions(database, admin_emails)
    passwords = Passwords()
    stack.callback(passwords.close)
    outbox = Outbox(Postage.of(settings), partial(metrics.outage, "mail"))
    stack.push_async_callback(outbox.close)
    accounts = Accounts(database, sessions, passwords, admin_emails)
    return sessions, accounts, Proofs(database, sessions, passwords, outbox), outbox


def _limits(stack: AsyncExitStack, settings: Settings, urls: StoreUrls) -> tuple[Limits, Slots]:
    is_limited = settings.limits == "on"
    limits = Limits(urls.redis_url, enforced=is_limited)
    stack.push_async_callback(limits.close)
    slots = Slots(urls.redis_url, enforced=is_limited)
    stack.push_async_callback(slots.close)
    return limits, slots


def _tools(
    settings: Settings, client: aiohttp.ClientSession, database: Database
) -> "tuple[Registry, Sequence[McpConnection]]":
    connections = _mcp_connections(settings)
    registry = Registry(_own_tools(settings, client, database), approval=settings.tool_approval)
    for connection in connections:
        registry.add_source(connection.offered)
    return registry, connections


def _uploads(settings: Settings, metrics: Metrics, database: Database) -> Uploads:
    url = settings.files_url or str(settings.data_dir / "files")
    objects = ObjectStore(url, endpoint=settings.files_endpoint)
    return Uploads(
        settings, database, objects, Extractor(), metrics.upload, partial(metrics.outage, "files")
    )


def _answer_cache(stack: AsyncExitStack, urls: StoreUrls) -> AnswerCache:
    cache = AnswerCache(urls.redis_url)
    stack.push_async_callback(cache.close)
    return cache


def _engine(settings: Settings, client: aiohttp.ClientSession) -> Engine | None:
    if settings.engine_url is None:
        return None
    key = settings.admin_key and settings.admin_key.get_secret_value()
    return Engine(client, settings.engine_url, key or None)


def _own_tools(
    settings: Settings, client: aiohttp.ClientSession, database: Database
) -> Iterable[Tool]:
    yield GetWeather(client, settings.weather_url, settings.geocoding_url)
    yield from document_tools(database)


def _mcp_connections(settings: Settings) -> "Sequence[McpConnection]":
    servers = read_mcp_config(settings.mcp_config).servers
    if not servers:
        return ()  # importing mcp takes a second, a third of the gateway's start
    from raylm_apps.gateway.tools.mcp import McpConnection

    return [McpConnection(server) for server in servers]


def _oauth_providers(settings: Settings) -> Iterable[OAuthProvider]:
    github = _credentials(settings.github_client_id, settings.github_client_secret)
    if github is not None:
        yield GitHub(github, settings.github_url, settings.github_api_url)
    google = _credentials(settings.google_client_id, settings.google_client_secret)
    if google is not None:
        yield Google(google, settings.google_issuer)


def _credentials(client_id: str | None, secret: SecretStr | None) -> Credentials | None:
    if client_id is None or secret is None:
        return None
    return Credentials(client_id, secret.get_secret_value())


def _loops(services: Services) -> list[Coroutine[Any, Any, None]]:
    file = services.settings.providers
    following = [follow_file(file, services.read_offer, services.catalog)] if file else []
    return [
        *following,
        services.circuits.run(),
        services.stream_writer.run(),
        services.stream_writer.keep_leases(),
        services.answers.run(),
        services.generations.checkpoint_every(services.settings.checkpoint_every_s),
        services.uploads.sweep_every(services.settings.files_sweep_every_s),
        services.recovery.sweep_every(2 * services.settings.lease_s),
        services.slots.run(),
        services.slots.keep(),
        services.budgets.run(),
        services.budgets.tell(),
        services.budgets.keep(),
        services.sessions.sweep(),
        _obey_stops(services),
        *(connection.run() for connection in services.mcp_connections),
    ]


async def _obey_stops(services: Services) -> None:
    """Other processes' readers may want an answer stopped that is written here."""
    while True:
        try:
            async for key in services.streams.stops():
                await services.generations.stop(key)
        except UNAVAILABLE:
            await asyncio.sleep(1)
