"""Who is asking: a guest with a signed cookie.

A guest costs nothing until the first chat is stored: the token is stateless, the row comes later.
"""

import base64
import hashlib
import hmac
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import orjson
from fastapi import Depends, Request, Response

from raylm_apps.gateway.errors import ApiError

COOKIE = "raylm_session"
LIFETIME_S = 30 * 24 * 3600
RENEW_AFTER_S = 24 * 3600


@dataclass(frozen=True)
class Session:
    user_id: str
    issued_at: int

    @classmethod
    def for_new_guest(cls) -> "Session":
        return cls(str(uuid.uuid4()), int(time.time()))

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.issued_at + LIFETIME_S, UTC)

    def renewed(self) -> "Session":
        return Session(self.user_id, int(time.time()))


class Signer:
    """Tokens `payload.signature`, base64url, HMAC-SHA256."""

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.sha256(b"raylm session\0" + key).digest()

    def sign(self, session: Session) -> str:
        payload = _encode(orjson.dumps({"sub": session.user_id, "iat": session.issued_at}))
        return f"{payload}.{self._signature(payload)}"

    def read(self, token: str) -> Session | None:
        """None for anything that was not signed here, or too long ago."""
        payload, _, signature = token.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(payload).encode()):
            return None
        claims = orjson.loads(_decode(payload))
        session = Session(claims["sub"], claims["iat"])
        return session if time.time() < session.issued_at + LIFETIME_S else None

    def _signature(self, payload: str) -> str:
        return _encode(hmac.digest(self._key, payload.encode(), "sha256"))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def set_cookie(request: Request, response: Response, session: Session) -> None:
    signer: Signer = request.app.state.signer
    response.set_cookie(
        COOKIE,
        signer.sign(session),
        max_age=LIFETIME_S,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def read_session(request: Request) -> Session | None:
    signer: Signer = request.app.state.signer
    token = request.cookies.get(COOKIE)
    return signer.read(token) if token else None


def require_session(session: Annotated[Session | None, Depends(read_session)]) -> Session:
    if session is None:
        raise ApiError("unauthorized:chat")
    return session


MaybeUser = Annotated[Session | None, Depends(read_session)]
SignedIn = Annotated[Session, Depends(require_session)]
