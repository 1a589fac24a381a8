"""From the configuration to an offer, and to a new one when its file changes."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import aiohttp
import structlog

from raylm.core.errors import ConfigError
from raylm_apps.gateway.providers.base import Provider
from raylm_apps.gateway.providers.listing import Listing
from raylm_apps.gateway.providers.registry import connections_of
from raylm_apps.gateway.routing.catalog import Catalog
from raylm_apps.gateway.routing.config import ProvidersConfig, bare_card
from raylm_apps.gateway.routing.offer import Offer
from raylm_apps.gateway.settings import Settings

LOOK_EVERY_S = 1.0
Watch = Callable[[Provider], Provider]
logger = structlog.get_logger()


def read_offer(settings: Settings, client: aiohttp.ClientSession, watch: Watch) -> Offer:
    """The file's providers, and the environment's that it does not name. Raises ConfigError."""
    path, config = settings.providers, ProvidersConfig()
    connections = {connection.name: connection for connection in connections_of(settings)}
    if path is not None:
        config = ProvidersConfig.read(path)
        try:
            connections |= {name: one.connection(name) for name, one in config.providers.items()}
            config.check_names(set(connections))
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None
    providers = [watch(connection.open(client)) for connection in connections.values()]
    return Offer(config, _listing(config, providers))


def _listing(config: ProvidersConfig, providers: list[Provider]) -> Listing:
    static = {
        name: [f"{name}/{model.removeprefix(f'{name}/')}" for model in provider.models]
        for name, provider in config.providers.items()
        if provider.models is not None
    }
    ids = sorted(config.model_ids()) + [id_ for ids in static.values() for id_ in ids]
    return Listing(
        providers,
        named=[bare_card(model_id) for model_id in ids],
        changes={model_id: model.changes() for model_id, model in config.models.items()},
        fixed=frozenset(static),
    )


async def follow_file(
    path: Path,
    read: Callable[[], Offer],
    catalog: Catalog,
    look_every_s: float = LOOK_EVERY_S,
) -> None:
    """A file that is broken changes nothing, and is complained about once."""
    await catalog.cards()  # what the providers say of the models that the file names
    before = _content(path)
    while True:
        await asyncio.sleep(look_every_s)
        content = _content(path)
        if content == before:
            continue
        before = content
        try:
            await catalog.adopt(read())
        except ConfigError as error:
            logger.error("RAYLM_PROVIDERS is broken: the old one stays", error=str(error))
        else:
            logger.info("RAYLM_PROVIDERS has changed, and counts", path=str(path))


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
