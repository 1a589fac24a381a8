"""A catalogue over fake upstreams, with everything that belongs to it, closed in the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from prometheus_client import CollectorRegistry

from raylm.core.wire.events import Event, TextDelta
from raylm.core.wire.prompt import Prompt, Turn
from raylm_apps.gateway.providers.base import Provider
from raylm_apps.gateway.providers.listing import Listing
from raylm_apps.gateway.routing.catalog import Catalog
from raylm_apps.gateway.routing.circuit_board import CircuitBoard
from raylm_apps.gateway.routing.config import ProvidersConfig
from raylm_apps.gateway.routing.offer import Offer
from raylm_apps.gateway.routing.reading import read_offer
from raylm_apps.gateway.routing.router import Router
from raylm_apps.gateway.routing.watching import RoutingWatch
from raylm_apps.gateway.settings import Settings
from tests.apps.gateway.routing.upstream import Behaviour, FakeUpstream

NO_REDIS = "redis://127.0.0.1:1"
PROMPT = Prompt([Turn("user", "Hi")])


@dataclass
class Bench:
    upstream: FakeUpstream
    catalog: Catalog
    board: CircuitBoard
    registry: CollectorRegistry

    async def answer(self, name: str, prompt: Prompt = PROMPT) -> list[Event]:
        provider, card = await self.catalog.resolve(name)
        return [event async for event in provider.stream(card, prompt)]

    def attempts(self) -> dict[tuple[str, str], float]:
        found = {}
        for metric in self.registry.collect():
            for sample in metric.samples:
                if sample.name == "raylm_attempts_total":
                    labels = sample.labels
                    found[labels["model"].rpartition("/")[2], labels["failure"]] = sample.value
        return found


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def catalog_of(*providers: Provider, default: str | None = None) -> Catalog:
    """Of providers alone, without a file."""
    watch = RoutingWatch(CollectorRegistry())
    router = Router(CircuitBoard(NO_REDIS), watch)
    return Catalog(router, Offer(ProvidersConfig(), Listing(providers)), default=default)


def write_config(path: Path, base_url: str, **tree: Any) -> None:
    providers = {"up": {"kind": "openai", "base_url": base_url}, **tree.pop("providers", {})}
    path.write_text(yaml.safe_dump({"providers": providers, **tree}, sort_keys=False))


@asynccontextmanager
async def bench(
    folder: Path, behaviours: dict[str, Behaviour], redis_url: str = NO_REDIS, **tree: Any
) -> AsyncIterator[Bench]:
    """The upstream's models are `up/NAME`; `tree` is the rest of the configuration."""
    upstream, registry = FakeUpstream(behaviours), CollectorRegistry()
    path, watch = folder / "providers.yaml", RoutingWatch(registry)
    write_config(path, await upstream.start(), **tree)
    board = CircuitBoard(redis_url, on_change=watch.circuit)
    try:
        async with aiohttp.ClientSession() as client:
            offer = read_offer(Settings(providers=path), client, lambda provider: provider)
            catalog = Catalog(Router(board, watch), offer)
            await catalog.cards()
            yield Bench(upstream, catalog, board, registry)
    finally:
        await board.close()
        await upstream.close()
