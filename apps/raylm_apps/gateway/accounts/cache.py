"""Sessions that were checked a moment ago: a busy client costs a query every few seconds."""

import time
from collections import OrderedDict
from collections.abc import Callable

from raylm_apps.gateway.accounts.session import Session

FRESH_S = 5.0  # for so long another process may believe a session that was revoked here
MOST = 10_000


class SessionCache:
    """By the hash of what the client showed."""

    def __init__(
        self,
        fresh_s: float = FRESH_S,
        most: int = MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fresh_s = fresh_s
        self._most = most
        self._clock = clock
        self._checked: OrderedDict[bytes, tuple[Session, float]] = OrderedDict()

    def get(self, token_hash: bytes) -> Session | None:
        session, checked_at = self._checked.get(token_hash, (None, 0.0))
        if session is not None and self._clock() - checked_at < self._fresh_s:
            return session
        self._checked.pop(token_hash, None)
        return None

    def put(self, token_hash: bytes, session: Session) -> None:
        self._checked[token_hash] = (session, self._clock())
        if len(self._checked) > self._most:
            self._checked.popitem(last=False)

    def forget(self, user_id: str) -> None:
        """Here at once; in other processes once it is no longer fresh."""
        self._checked = OrderedDict(
            (token_hash, found)
            for token_hash, found in self._checked.items()
            if found[0].user_id != user_id
        )
