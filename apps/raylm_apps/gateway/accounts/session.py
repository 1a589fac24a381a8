"""Who is asking, and the signed token of a guest, who costs nothing until a chat is stored."""

import base64
import hashlib
import hmac
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

LIFETIME_S = 30 * 24 * 3600
RENEW_AFTER_S = 24 * 3600

UserType = Literal["guest", "regular", "admin"]


@dataclass(frozen=True)
class Session:
    """`id` is a stored session's, `key_id` an API key's; a guest has neither."""

    user_id: str
    issued_at: int
    type: UserType = "guest"
    email: str | None = None
    name: str | None = None
    id: str | None = None
    key_id: str | None = None
    email_verified: bool = False

    @classmethod
    def for_new_guest(cls) -> "Session":
        return cls(str(uuid.uuid4()), int(time.time()))

    def renewed(self) -> "Session":
        return replace(self, issued_at=int(time.time()))

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.issued_at + LIFETIME_S, UTC)

    @property
    def is_guest(self) -> bool:
        return self.type == "guest"

    @property
    def is_old(self) -> bool:
        return time.time() - self.issued_at > RENEW_AFTER_S


class Signer:
    """Tokens `payload.signature`, base64url, HMAC-SHA256; for one purpose each."""

    def __init__(self, key: bytes, purpose: bytes = b"session") -> None:
        self._key = hashlib.sha256(b"raylm " + purpose + b"\0" + key).digest()

    def sign(self, session: Session) -> str:
        return self.seal({"sub": session.user_id, "iat": session.issued_at})

    def read(self, token: str) -> Session | None:
        """None for anything that was not signed here, or too long ago."""
        claims = self.open(token)
        if claims is None:
            return None
        session = Session(claims["sub"], claims["iat"])
        return session if time.time() < session.issued_at + LIFETIME_S else None

    def seal(self, claims: dict[str, Any]) -> str:
        payload = _encode(orjson.dumps(claims))
        return f"{payload}.{self._signature(payload)}"

    def open(self, token: str) -> dict[str, Any] | None:
        payload, _, signature = token.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(payload).encode()):
            return None
        claims: dict[str, Any] = orjson.loads(_decode(payload))
        return claims

    def _signature(self, payload: str) -> str:
        return _encode(hmac.digest(self._key, payload.encode(), "sha256"))


@dataclass(frozen=True)
class Signing:
    """One key a purpose: what was signed for one is nothing for another."""

    guests: Signer
    flows: Signer

    @classmethod
    def of(cls, key: bytes) -> "Signing":
        return cls(Signer(key), Signer(key, b"sign-in flow"))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
