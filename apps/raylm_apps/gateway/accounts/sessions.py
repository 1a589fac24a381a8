"""Sessions and API keys of accounts, as requests show them."""

import asyncio
import uuid

import structlog

from raylm_apps.gateway.accounts.cache import SessionCache
from raylm_apps.gateway.accounts.secret import (
    KEY_MARK,
    SHOWN_CHARS,
    digest,
    new_api_key,
    new_session_token,
)
from raylm_apps.gateway.accounts.session import LIFETIME_S, Session, UserType
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.store import api_keys, sessions
from raylm_apps.gateway.store.api_keys import ApiKey
from raylm_apps.gateway.store.pool import Connection, Database, OutageError
from raylm_apps.gateway.store.sessions import StoredSession
from raylm_apps.gateway.store.users import User

SWEEP_EVERY_S = 3600.0
FRESH_S = 600.0
logger = structlog.get_logger()


class Sessions:
    def __init__(self, database: Database, admin_emails: frozenset[str]) -> None:
        self._database = database
        self._admin_emails = admin_emails
        self._cache = SessionCache()

    async def read(self, token: str) -> Session | None:
        """Whose session it is; None where it has ended, or never was."""
        token_hash = digest(token)
        session = self._cache.get(token_hash)
        if session is not None:
            return session
        async with self._database.connection() as connection:
            found = await sessions.find(connection, token_hash, LIFETIME_S)
        if found is None:
            return None
        session_id, renewed_at, user = found
        session = self.of(user, renewed_at, session_id=session_id)
        self._cache.put(token_hash, session)
        return session

    async def read_key(self, key: str) -> Session | None:
        """Whose API key it is."""
        if not key.startswith(KEY_MARK):
            return None
        key_hash = digest(key)
        session = self._cache.get(key_hash)
        if session is not None:
            return session
        async with self._database.connection() as connection:
            found = await api_keys.use(connection, key_hash)
        if found is None:
            return None
        key_id, user = found
        session = self.of(user, 0, key_id=key_id)
        self._cache.put(key_hash, session)
        return session

    def of(
        self,
        user: User,
        issued_at: int,
        *,
        session_id: str | None = None,
        key_id: str | None = None,
    ) -> Session:
        kind: UserType = "admin" if user.is_admin(self._admin_emails) else "regular"
        return Session(
            user.id,
            issued_at,
            kind,
            user.email,
            user.name,
            session_id,
            key_id,
            email_verified=user.email_verified,
        )

    async def start(
        self, connection: Connection, user_id: str, user_agent: str, address: str
    ) -> str:
        """A new token, in the caller's transaction."""
        token = new_session_token()
        await sessions.add(
            connection, str(uuid.uuid4()), digest(token), user_id, user_agent, address
        )
        return token

    async def require_fresh(self, session: Session) -> None:
        """Raises unauthorized for a cookie that may have been lying about, or been stolen."""
        assert session.id is not None
        async with self._database.connection() as connection:
            if not await sessions.is_younger(connection, session.id, session.user_id, FRESH_S):
                raise ApiError("unauthorized:fresh")

    async def renew(self, session: Session) -> None:
        assert session.id is not None
        async with self._database.connection() as connection:
            await sessions.renew(connection, session.id)
        self._cache.forget(session.user_id)

    def forget(self, user_id: str) -> None:
        self._cache.forget(user_id)

    async def of_user(self, user_id: str) -> list[StoredSession]:
        async with self._database.connection() as connection:
            return await sessions.of_user(connection, user_id, LIFETIME_S)

    async def end(self, user_id: str, session_id: str) -> bool:
        async with self._database.connection() as connection:
            ended = await sessions.delete(connection, user_id, session_id)
        self._cache.forget(user_id)
        return ended

    async def end_all(self, user_id: str) -> int:
        async with self._database.connection() as connection:
            count = await sessions.delete_all(connection, user_id)
        self._cache.forget(user_id)
        return count

    async def add_key(self, user_id: str, name: str, most: int) -> tuple[str, ApiKey] | None:
        """The key itself, which nobody can ever see again; None where there are `most` already."""
        key = new_api_key()
        async with self._database.transaction() as connection:
            added = await api_keys.add(
                connection,
                str(uuid.uuid4()),
                digest(key),
                user_id,
                name,
                key[:SHOWN_CHARS],
                most,
            )
        return None if added is None else (key, added)

    async def keys_of(self, user_id: str) -> list[ApiKey]:
        async with self._database.connection() as connection:
            return await api_keys.of_user(connection, user_id)

    async def delete_key(self, user_id: str, key_id: str) -> ApiKey | None:
        async with self._database.connection() as connection:
            deleted = await api_keys.delete(connection, user_id, key_id)
        self._cache.forget(user_id)
        return deleted

    async def sweep(self) -> None:
        """Delete what has expired, now and then."""
        while True:
            try:
                async with self._database.connection() as connection:
                    await sessions.delete_expired(connection, LIFETIME_S)
            except OutageError as error:
                logger.warning("expired sessions stay", error=str(error))
            await asyncio.sleep(SWEEP_EVERY_S)
