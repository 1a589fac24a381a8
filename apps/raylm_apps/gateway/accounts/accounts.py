"""Becoming an account: registering, signing in, and what a guest brings along."""

import uuid
from dataclasses import dataclass

import structlog

from raylm_apps.gateway.accounts.identity import Identity
from raylm_apps.gateway.accounts.passwords import Passwords
from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.accounts.sessions import Sessions
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.store import identities, sessions, users
from raylm_apps.gateway.store.pool import Connection, Database
from raylm_apps.gateway.store.users import User

logger = structlog.get_logger()


@dataclass(frozen=True)
class Visitor:
    """Whoever is about to sign in: the session until then, and what is told of the client."""

    session: Session | None
    user_agent: str
    address: str


class Accounts:
    """Every way in ends in `_enter`: one transaction, a new token, the old one worth nothing."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        passwords: Passwords,
        admin_emails: frozenset[str],
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._passwords = passwords
        self._admin_emails = admin_emails

    async def register(self, visitor: Visitor, email: str, password: str, name: str | None) -> str:
        """The new session's token. Raises conflict."""
        password_hash = await self._passwords.hash(password)
        async with self._database.transaction() as connection:
            user = await users.add(
                connection, str(uuid.uuid4()), email=email, name=name, password_hash=password_hash
            )
            if user is None:
                raise ApiError("conflict:auth")
            token = await self._enter(connection, user, visitor)
        if email in self._admin_emails:
            logger.warning("named an admin, but anyone can register: use raylm admin grant")
        self._settle(visitor)
        return token

    async def log_in(self, visitor: Visitor, email: str, password: str) -> str:
        """The new session's token. Raises unauthorized, the same for whatever is wrong."""
        async with self._database.connection() as connection:
            user = await users.find_by_email(connection, email)
        stored = user.password_hash if user else None
        if not await self._passwords.matches(password, stored) or user is None or stored is None:
            raise ApiError("unauthorized:auth")
        async with self._database.transaction() as connection:
            if not await users.hold_password(connection, user.id, stored):
                raise ApiError("unauthorized:auth")  # changed a moment ago, which ends sessions
            token = await self._enter(connection, user, visitor)
        self._settle(visitor)
        if self._passwords.is_outdated(stored):
            fresh = await self._passwords.hash(password)
            async with self._database.connection() as connection:
                await users.replace_password(connection, user.id, stored, fresh)
        return token

    async def change_password(self, visitor: Visitor, current: str | None, password: str) -> str:
        """The one session's token that goes on.

        Raises forbidden where the current password is wrong, unauthorized where there is none yet
        and the account was not signed in to a moment ago.
        """
        session = visitor.session
        assert session is not None
        async with self._database.connection() as connection:
            user = await users.find(connection, session.user_id)
        if user is None:
            raise ApiError("unauthorized:auth")
        if user.email is None:
            raise ApiError("bad_request:password")
        if user.password_hash is None:
            await self._sessions.require_fresh(session)
        elif not await self._passwords.matches(current or "", user.password_hash):
            raise ApiError("forbidden:password")
        changed = await self._passwords.hash(password)
        async with self._database.transaction() as connection:
            if not await users.replace_password(connection, user.id, user.password_hash, changed):
                raise ApiError("forbidden:password")
            await sessions.delete_all(connection, user.id)
            token = await self._sessions.start(
                connection, user.id, visitor.user_agent, visitor.address
            )
        self._settle(visitor)
        return token

    async def log_in_as(self, visitor: Visitor, identity: Identity) -> str:
        """The new session's token, for what a provider says. Raises conflict."""
        async with self._database.transaction() as connection:
            user = await identities.find(connection, identity.provider, identity.subject)
            if user is None:
                user = await self._welcome(connection, identity)
            token = await self._enter(connection, user, visitor)
        self._settle(visitor)
        return token

    async def link(self, visitor: Visitor, user_id: str, identity: Identity) -> str:
        """Another way into the account that is signed in. Raises conflict."""
        async with self._database.transaction() as connection:
            user = await users.find(connection, user_id)
            if user is None:
                raise ApiError("unauthorized:auth")
            owner = await identities.find(connection, identity.provider, identity.subject)
            if owner is None:
                await identities.add(connection, identity.provider, identity.subject, user_id)
            elif owner.id != user_id:
                raise ApiError(
                    "conflict:auth", f"another account has this {identity.provider} user"
                )
            if identity.verified_email is not None:
                await users.verify_email(connection, user_id, identity.verified_email)
            token = await self._enter(connection, user, visitor)
        self._settle(visitor)
        return token

    async def _welcome(self, connection: Connection, identity: Identity) -> User:
        """A first sign-in: an account is found by an address only where both sides proved it."""
        email = identity.verified_email
        user = await users.find_by_email(connection, email) if email else None
        if user is None:
            user = await users.add(
                connection,
                str(uuid.uuid4()),
                email=email,
                name=identity.name,
                email_verified=email is not None,
            )
        if user is None or not (user.email_verified or email is None):
            raise ApiError(
                "conflict:auth",
                "an account with this address has a password; sign in with it, then link "
                f"{identity.provider}",
            )
        if not await identities.add(connection, identity.provider, identity.subject, user.id):
            raise ApiError("conflict:auth", "signed in twice at once; please try again")
        return user

    async def _enter(self, connection: Connection, user: User, visitor: Visitor) -> str:
        before = visitor.session
        if before is not None and before.is_guest:
            await users.take_over(connection, before.user_id, user.id)
        elif before is not None and before.id is not None:
            await sessions.delete(connection, before.user_id, before.id)
        return await self._sessions.start(connection, user.id, visitor.user_agent, visitor.address)

    def _settle(self, visitor: Visitor) -> None:
        """After the commit: the session until now counts for nothing in this process either."""
        if visitor.session is not None:
            self._sessions.forget(visitor.session.user_id)
