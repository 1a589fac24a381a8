"""Changing what the engine serves, so that everybody here knows of it at once."""

from raylm_apps.gateway.engine.engine import Engine
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.providers.registry import ENGINE
from raylm_apps.gateway.services import Services


async def load(gateway: Services, model: str) -> str:
    """The id that it is served by. Raises ApiError."""
    model_id = await _engine(gateway).load(model)
    gateway.catalog.forget(ENGINE)
    return model_id


async def unload(gateway: Services, model_id: str) -> None:
    """Raises ApiError."""
    await _engine(gateway).unload(model_id)
    gateway.catalog.forget(ENGINE)


def _engine(gateway: Services) -> Engine:
    if gateway.engine is None:
        raise ApiError("offline:engine", "this gateway has none: set RAYLM_ENGINE_URL")
    if not gateway.engine.can_change:
        raise ApiError("forbidden:engine")
    return gateway.engine
