"""The engine over HTTP: its list, health and metrics, and its admins' routes."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from raylm_apps.gateway.engine.figures import Pace, Reading, readings_of
from raylm_apps.gateway.errors import ApiError

PATIENCE = aiohttp.ClientTimeout(total=3.0)
LOADING = aiohttp.ClientTimeout(total=900.0, sock_connect=5.0)
_CODES = {
    400: "bad_request:model",
    401: "forbidden:engine",
    403: "forbidden:engine",
    404: "not_found:model",
    409: "conflict:model",
    507: "storage_full:model",
}


@dataclass(frozen=True)
class Served:
    id: str
    chat_template: bool
    context_tokens: int | None
    reading: Reading | None
    tokens_per_second: float | None


@dataclass(frozen=True)
class Condition:
    """`loading`: for how many seconds; `failures`: why a model does not load there."""

    served: tuple[Served, ...]
    loading: Mapping[str, float]
    failures: Mapping[str, str]
    available_bytes: int | None


class Engine:
    """`base_url` ends in `/v1`."""

    def __init__(self, client: aiohttp.ClientSession, base_url: str, admin_key: str | None) -> None:
        self._client = client
        self._models_url = base_url.rstrip("/") + "/models"
        self._root = base_url.rstrip("/").removesuffix("/v1")
        self._admin_key = admin_key
        self._pace = Pace()

    @property
    def can_change(self) -> bool:
        return self._admin_key is not None

    async def condition(self) -> Condition:
        """Raises offline."""
        listed, health, metrics = await asyncio.gather(
            self._ask("GET", self._models_url),
            self._ask("GET", f"{self._root}/health"),
            self._ask("GET", f"{self._root}/metrics"),
        )
        try:
            return self._read(orjson.loads(listed), orjson.loads(health), metrics.decode())
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise ApiError("offline:engine", f"a strange answer: {error!r}") from error

    async def load(self, model: str) -> str:
        """The id that it is served by; loaded once more, it changes nothing. Raises ApiError."""
        card = await self._ask("POST", self._models_url, {"model": model})
        model_id: str = orjson.loads(card)["id"]
        return model_id

    async def unload(self, model_id: str) -> None:
        """Returns once the answers that it is giving have ended. Raises ApiError."""
        await self._ask("DELETE", f"{self._models_url}/{model_id}")

    def _read(self, listed: Any, health: Any, metrics: str) -> Condition:
        readings = readings_of(metrics, time.monotonic())
        served = tuple(self._served(model, readings) for model in listed["data"])
        return Condition(
            served,
            dict(health.get("loading") or {}),
            dict(health.get("failures") or {}),
            health.get("available_bytes"),
        )

    def _served(self, model: Mapping[str, Any], readings: Mapping[str, Reading]) -> Served:
        id_: str = model["id"]
        reading = readings.get(id_)
        pace = self._pace.tokens_per_second(id_, reading) if reading else None
        return Served(
            id_, model.get("chat_template", True), model.get("max_model_len"), reading, pace
        )

    async def _ask(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> bytes:
        """Changes alone show the key."""
        is_change = method != "GET"
        headers = {"Authorization": f"Bearer {self._admin_key}"} if is_change else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else orjson.dumps(body)
        async with (
            _told_as_offline(),
            self._client.request(
                method,
                url,
                data=data,
                headers=headers,
                timeout=LOADING if is_change else PATIENCE,
                allow_redirects=False,
            ) as response,
        ):
            answer = await response.read()
            if response.status >= 300:
                code = _CODES.get(response.status, "offline:engine")
                raise ApiError(code, _cause(response.status, answer))
            return answer


@asynccontextmanager
async def _told_as_offline() -> AsyncIterator[None]:
    try:
        yield
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ApiError("offline:engine", f"it does not answer: {error or type(error)}") from error


def _cause(status: int, answer: bytes) -> str:
    """The engine's own words: they are for admins."""
    try:
        message = orjson.loads(answer)["error"]["message"]
    except (orjson.JSONDecodeError, LookupError, TypeError):
        message = answer.decode(errors="replace")[:500]
    return f"{message}" if message else f"the engine answered {status}"
