"""Signing in at a provider: the flow a browser is on, and what every provider can do."""

import hmac
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol, Self

import httpx2
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc.errors import JoseError

from raylm_apps.gateway.accounts.identity import Identity, ProviderName
from raylm_apps.gateway.accounts.session import Signer
from raylm_apps.gateway.errors import ApiError

FLOW_LIFETIME_S = 600
TIMEOUT_S = 10.0
logger = structlog.get_logger()


@dataclass(frozen=True)
class Flow:
    """Sealed in the browser's cookie: only the browser that began a flow can end it."""

    provider: ProviderName
    state: str
    nonce: str
    code_verifier: str
    return_to: str
    expires_at: int
    link_to: str | None = None
    """The account that is to have another way in."""

    @classmethod
    def begin(cls, provider: ProviderName, return_to: str, link_to: str | None) -> Self:
        state, nonce, code_verifier = (secrets.token_urlsafe(32) for _ in range(3))
        expires_at = int(time.time()) + FLOW_LIFETIME_S
        return cls(provider, state, nonce, code_verifier, return_to, expires_at, link_to)

    def sealed(self, signer: Signer) -> str:
        return signer.seal(asdict(self))

    @classmethod
    def resume(cls, signer: Signer, cookie: str, provider: ProviderName, state: str) -> Self:
        """Raises bad_request for whatever this browser did not begin, here, a moment ago."""
        claims = signer.open(cookie)
        flow = cls(**claims) if claims is not None else None
        if (
            flow is None
            or flow.provider != provider
            or flow.expires_at < time.time()
            or not hmac.compare_digest(flow.state.encode(), state.encode())
        ):
            raise ApiError("bad_request:auth", "the sign-in was not begun in this browser")
        return flow


@dataclass(frozen=True)
class Credentials:
    client_id: str
    client_secret: str

    @asynccontextmanager
    async def client(self, redirect_uri: str | None, scope: str) -> AsyncIterator[Any]:
        """Whatever the provider does wrong becomes an ApiError that has none of its words."""
        client = AsyncOAuth2Client(
            self.client_id,
            self.client_secret,
            redirect_uri=redirect_uri,
            scope=scope,
            code_challenge_method="S256",
            timeout=TIMEOUT_S,
            follow_redirects=False,
        )
        try:
            async with client:
                yield client
        except httpx2.HTTPError as error:
            logger.warning("a sign-in provider does not answer", error=type(error).__name__)
            raise ApiError("offline:auth") from None
        except (OAuthError, JoseError, ValueError, KeyError) as error:
            logger.warning("a sign-in was refused", error=type(error).__name__)
            raise ApiError("bad_request:auth", "the provider refused the sign-in") from None


class OAuthProvider(Protocol):
    name: ProviderName

    async def authorization_url(self, flow: Flow, redirect_uri: str) -> str: ...

    async def identity(self, flow: Flow, redirect_uri: str, code: str) -> Identity: ...
