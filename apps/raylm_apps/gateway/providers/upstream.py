"""A provider's server over the pooled client: JSON out, events in, failures in one language."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol

import aiohttp
import orjson

from raylm.core.wire.events import Event
from raylm.core.wire.failure import Failure, WireError
from raylm_apps.gateway.providers.base import ProviderError
from raylm_apps.gateway.providers.refusals import read_error, refusal_of
from raylm_apps.gateway.providers.sse import SseError, sse_data

CONNECT_TIMEOUT_S = 5.0
SILENCE_TIMEOUT_S = 120.0
PATIENCE = aiohttp.ClientTimeout(
    total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_TIMEOUT_S
)
STRANGE = (SseError, orjson.JSONDecodeError, AttributeError, LookupError, TypeError, ValueError)
DONE = b"[DONE]"
KEYS = frozenset({"authorization", "x-api-key", "x-goog-api-key"})


class StreamDecoder(Protocol):
    """Of one answer in one dialect."""

    def decode(self, chunk: dict[str, Any]) -> list[Event]:
        """Raises WireError for an error, any of STRANGE for what makes no sense."""
        ...

    def end(self) -> list[Event]:
        """What remains to be told, Finished last. Raises WireError where the answer broke off."""
        ...


class Upstream:
    def __init__(
        self, client: aiohttp.ClientSession, base_url: str, headers: Mapping[str, str]
    ) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._headers = headers
        self._keys = [
            value.rpartition(" ")[2] for name, value in headers.items() if name.lower() in KEYS
        ]

    async def get(self, path: str, **query: str) -> Any:
        """JSON. Raises ProviderError."""
        timeout = aiohttp.ClientTimeout(total=CONNECT_TIMEOUT_S)
        with self._told_as_failures(Failure.UNREACHABLE):
            async with self._client.get(
                self._base_url + path,
                params=query,
                headers=self._headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                await _check(response)
                return orjson.loads(await response.read())

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """JSON for JSON. Raises ProviderError."""
        async with self.opened(path, body) as response:
            return orjson.loads(await response.read())

    async def events(
        self,
        path: str,
        body: Mapping[str, Any],
        decoder: StreamDecoder,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Raises ProviderError; closing it closes the connection."""
        async with self.opened(path, body, headers) as response:
            async for data in sse_data(response.content.iter_any()):
                if data == DONE:
                    break
                for event in decoder.decode(orjson.loads(data)):
                    yield event
            for event in decoder.end():
                yield event

    @asynccontextmanager
    async def opened(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer of status 200; what goes wrong while it is read is a ProviderError, too."""
        with self._told_as_failures(Failure.BROKEN_OFF):
            async with self._client.post(
                self._base_url + path,
                data=orjson.dumps(body),
                headers={**self._headers, "Content-Type": "application/json", **(headers or {})},
                timeout=PATIENCE,
                allow_redirects=False,
            ) as response:
                await _check(response)
                yield response

    @contextmanager
    def _told_as_failures(self, strange: Failure) -> Iterator[None]:
        """Causes go to the log, and a server may repeat what it was sent: its key is struck out."""
        try:
            with _told_as_failures(strange):
                yield
        except ProviderError as error:
            for key in self._keys:
                error.cause = error.cause.replace(key, "***")
            raise


async def _check(response: aiohttp.ClientResponse) -> None:
    if response.status != 200:
        raise refusal_of(response, await read_error(response))


@contextmanager
def _told_as_failures(strange: Failure) -> Iterator[None]:
    try:
        yield
    except aiohttp.ClientPayloadError as error:  # whoever answers has died within the answer
        raise ProviderError.of(Failure.BROKEN_OFF, repr(error)) from error
    except TimeoutError as error:
        raise ProviderError.of(Failure.TIMEOUT, repr(error)) from error
    except aiohttp.ClientError as error:
        raise ProviderError.of(Failure.UNREACHABLE, repr(error)) from error
    except WireError as error:
        raise ProviderError.of(error.failure, error.cause) from error
    except STRANGE as error:
        raise ProviderError.of(strange, f"a strange answer: {error!r}") from error
