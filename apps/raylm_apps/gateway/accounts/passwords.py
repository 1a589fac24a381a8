"""Passwords, hashed with argon2id on threads of their own, a few at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from raylm_apps.gateway.accounts.secret import new_session_token
from raylm_apps.gateway.errors import ApiError

# OWASP's first choice for argon2id: 19 MiB, two passes, one lane; some 20 ms.
MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
AT_ONCE = 2
MOST_WAITING = 64

P = ParamSpec("P")
T = TypeVar("T")


class Passwords:
    """The event loop never hashes, and a flood of logins fills neither memory nor processor."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._unfinished = 0
        self._nobodys = self._hasher.hash(new_session_token())

    async def hash(self, password: str) -> str:
        return await self._on_thread(self._hasher.hash, _bytes(password))

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whoever has no password costs as long as a wrong one: time tells nobody's address."""
        equal = await self._on_thread(self._verify, stored or self._nobodys, _bytes(password))
        return equal and stored is not None

    def is_outdated(self, stored: str) -> bool:
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _on_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._unfinished >= MOST_WAITING:
            raise ApiError("rate_limit:auth", "too many sign-ins at once", retry_after_s=1)
        self._unfinished += 1
        try:
            call = partial(work, *args, **kwargs)
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        finally:
            self._unfinished -= 1

    def _verify(self, stored: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def _bytes(password: str) -> bytes:
    """Of any password that JSON can spell, halves of surrogate pairs too."""
    return password.encode(errors="surrogatepass")
