"""Sign in with Google: OpenID Connect, the id_token checked against the issuer's keys."""

import time
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet

from raylm_apps.gateway.accounts.email_address import normalised
from raylm_apps.gateway.accounts.identity import Identity, ProviderName, display_name
from raylm_apps.gateway.accounts.oauth import Credentials, Flow

SCOPE = "openid email profile"
ALGORITHMS = ["RS256", "ES256"]
KEPT_S = 3600.0
CLOCKS_APART_S = 60


class Google:
    name: ProviderName = "google"

    def __init__(self, credentials: Credentials, issuer: str) -> None:
        self._credentials = credentials
        self._issuer = issuer.rstrip("/")
        self._documents: dict[str, tuple[float, Any]] = {}

    async def authorization_url(self, flow: Flow, redirect_uri: str) -> str:
        async with self._credentials.client(redirect_uri, SCOPE) as client:
            about = await self._about(client)
            url, _ = client.create_authorization_url(
                about["authorization_endpoint"],
                state=flow.state,
                nonce=flow.nonce,
                code_verifier=flow.code_verifier,
            )
        return str(url)

    async def identity(self, flow: Flow, redirect_uri: str, code: str) -> Identity:
        async with self._credentials.client(redirect_uri, SCOPE) as client:
            about = await self._about(client)
            token = await client.fetch_token(
                about["token_endpoint"], code=code, code_verifier=flow.code_verifier
            )
            claims = await self._checked(client, token, flow.nonce)
            is_verified = claims.get("email_verified") is True
            return Identity(
                self.name,
                str(claims["sub"]),
                normalised(claims["email"]) if is_verified else None,
                display_name(claims.get("name")),
            )

    async def _checked(self, client: Any, token: dict[str, Any], nonce: str) -> CodeIDToken:
        try:
            decoded = jwt.decode(token["id_token"], await self._keys(client), ALGORITHMS)
        except InvalidKeyIdError:  # the issuer may have changed its keys
            keys = await self._keys(client, fresh=True)
            decoded = jwt.decode(token["id_token"], keys, ALGORITHMS)
        issuers = [self._issuer, self._issuer.removeprefix("https://")]
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={
                "iss": {"essential": True, "values": issuers},
                "aud": {"essential": True, "value": self._credentials.client_id},
                "sub": {"essential": True},
            },
            params={
                "nonce": nonce,
                "client_id": self._credentials.client_id,
                "access_token": token.get("access_token"),
            },
        )
        claims.validate(leeway=CLOCKS_APART_S)
        return claims

    async def _about(self, client: Any) -> dict[str, Any]:
        about: dict[str, Any] = await self._document(
            client, f"{self._issuer}/.well-known/openid-configuration"
        )
        if about["issuer"] != self._issuer:
            raise ValueError("the issuer calls itself by another name")
        return about

    async def _keys(self, client: Any, *, fresh: bool = False) -> KeySet:
        about = await self._about(client)
        document = await self._document(client, about["jwks_uri"], fresh=fresh)
        return KeySet.import_key_set(document)

    async def _document(self, client: Any, url: str, *, fresh: bool = False) -> Any:
        kept_at, document = self._documents.get(url, (0.0, None))
        if fresh or document is None or time.monotonic() - kept_at > KEPT_S:
            response = await client.request("GET", url, withhold_token=True)
            response.raise_for_status()
            document = response.json()
            self._documents[url] = (time.monotonic(), document)
        return document
