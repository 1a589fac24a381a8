"""What is proved by reading an address's mail: that it is one's own."""

from raylm_apps.gateway.accounts.passwords import Passwords
from raylm_apps.gateway.accounts.secret import digest, new_mailed_token
from raylm_apps.gateway.accounts.sessions import Sessions
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.mail.letters import Letter, letter
from raylm_apps.gateway.mail.outbox import Outbox
from raylm_apps.gateway.store import proofs, sessions, users
from raylm_apps.gateway.store.pool import Database
from raylm_apps.gateway.store.proofs import Purpose

LIFETIME_S: dict[Purpose, int] = {"reset": 1_800, "verify": 86_400}


class Proofs:
    def __init__(
        self, database: Database, sessions: Sessions, passwords: Passwords, outbox: Outbox
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._passwords = passwords
        self._outbox = outbox

    async def forgot(self, email: str) -> None:
        """The same, in the same time, whether or not anybody has the address: it is looked up by
        the task that holds the connection to the mail server. Raises as `Outbox.send` does."""
        await self._outbox.send(lambda: self._letter("reset", email))

    async def ask_whose(self, email: str) -> None:
        """Raises as `Outbox.send` does."""
        await self._outbox.send(lambda: self._letter("verify", email))

    def greet(self, email: str) -> None:
        """Ask a new account's owner, where mail is sent; nobody waits for it."""
        if self._outbox.is_open:
            self._outbox.begin(lambda: self._letter("verify", email))

    async def reset(self, token: str, password: str) -> None:
        """Ends every session. Raises bad_request.

        Whoever made an account with another's address loses it with all ways in to the address's
        owner: until now nobody had proved theirs.
        """
        password_hash = await self._passwords.hash(password)
        async with self._database.transaction() as connection:
            user = await proofs.take(connection, digest(token), "reset")
            if user is None or not await users.replace_password(
                connection, user.id, user.password_hash, password_hash
            ):
                raise ApiError("bad_request:token")
            if not user.email_verified and user.email is not None:
                await proofs.end_unproved_ways_in(connection, user.id)
                await users.verify_email(connection, user.id, user.email)
            await proofs.delete_all(connection, user.id)
            await sessions.delete_all(connection, user.id)
        self._sessions.forget(user.id)

    async def verify(self, user_id: str, token: str) -> None:
        """Both halves: who reads the mail has signed in to the account. One who was sent the mail
        because a stranger typed their address would else lend it to the stranger's account.

        Raises bad_request.
        """
        async with self._database.transaction() as connection:
            user = await proofs.take(connection, digest(token), "verify", user_id)
            if user is None or user.email is None:
                raise ApiError("bad_request:token")
            await users.verify_email(connection, user.id, user.email)
        self._sessions.forget(user_id)

    async def _letter(self, purpose: Purpose, email: str) -> Letter | None:
        async with self._database.transaction() as connection:
            user = await users.find_by_email(connection, email)
            if user is None or (purpose == "verify" and user.email_verified):
                return None
            token = new_mailed_token()
            await proofs.add(connection, digest(token), user.id, purpose, LIFETIME_S[purpose])
        return letter(purpose, email, self._outbox.base_url, token)
