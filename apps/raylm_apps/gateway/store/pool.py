"""The PostgreSQL connection pool; an outage becomes OutageError, and the pool outlives it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import orjson

from raylm.core.errors import StoreError
from raylm_apps.gateway.tracing import Tracing

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]
    RawConnection: TypeAlias = asyncpg.Connection[Any]
    Row: TypeAlias = asyncpg.Record
else:
    Connection = RawConnection = Row = Any


class OutageError(StoreError):
    """PostgreSQL cannot be reached, or went away in the middle."""


OUTAGES = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
ACQUIRE_TIMEOUT_S = 5.0


class Database:
    def __init__(
        self,
        url: str,
        *,
        max_connections: int = 16,
        tracing: Tracing | None = None,
        on_outage: Callable[[], None] = lambda: None,
    ) -> None:
        self._url = url
        self._tracing = tracing or Tracing()
        self._on_outage = on_outage
        self._max_connections = max_connections
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        """Connects to nothing yet: every use does, so that a store may come and go."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._max_connections,
            max_inactive_connection_lifetime=600,
            command_timeout=15,
            timeout=ACQUIRE_TIMEOUT_S,
            init=_speak_json,
            reset=_keep_session,
        )

    async def close(self) -> None:
        if self._pool is not None:
            async with asyncio.timeout(5):
                await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        if self._pool is None:
            raise OutageError("the database pool is not open")
        try:
            with self._tracing.inner_span("postgresql", **{"db.system.name": "postgresql"}):
                async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
                    yield connection
        except OUTAGES as error:
            self._on_outage()
            raise OutageError(f"PostgreSQL does not answer: {error}") from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def is_up(self) -> bool:
        try:
            async with asyncio.timeout(1), self.connection() as connection:
                return bool(await connection.fetchval("select true"))
        except (OutageError, TimeoutError):
            return False


async def _speak_json(connection: RawConnection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: orjson.dumps(value).decode(),
        decoder=orjson.loads,
    )


async def _keep_session(connection: RawConnection) -> None:
    """Nothing here changes a session beyond its transaction: no round trip to undo that."""
