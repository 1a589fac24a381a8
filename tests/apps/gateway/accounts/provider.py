"""GitHub and Google in one small server, over real HTTP: as strict as they are, and as wrong as
a test wants them to be."""

import asyncio
import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID, CLIENT_SECRET = "raylm-test", "provider-secret-of-raylm"


@dataclass
class Provider:
    """`claims` overrides what an id_token says; `signed_by` with whose key."""

    url: str = ""
    user: dict[str, Any] = field(default_factory=dict)
    emails: list[dict[str, Any]] = field(default_factory=list)
    claims: dict[str, Any] = field(default_factory=dict)
    signed_by: RSAKey | None = None
    is_broken: bool = False
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    granted: dict[str, dict[str, str]] = field(default_factory=dict)

    def grant(self, authorization_url: str) -> dict[str, str]:
        """The user says yes: what their browser brings back."""
        asked = {
            name: values[0] for name, values in parse_qs(urlsplit(authorization_url).query).items()
        }
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.granted)}"
        self.granted[code] = asked
        return {"code": code, "state": asked["state"]}

    def become(self, email: str, *, verified: bool = True) -> None:
        """Somebody new, at GitHub."""
        self.user = {"id": secrets.randbits(40), "login": "ada", "name": "Ada"}
        self.emails = [{"email": email, "primary": True, "verified": verified}]

    async def token(self, request: web.Request) -> web.Response:
        if self.is_broken:
            return web.Response(status=503)
        form = await request.post()
        asked = self.granted.pop(str(form.get("code")), None)  # a code is good once
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        challenge = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        if (
            asked is None
            or request.headers.get("authorization") != f"Basic {basic}"
            or asked["code_challenge"] != base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()
            or asked["redirect_uri"] != form.get("redirect_uri")
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = {"access_token": "access", "token_type": "bearer", "scope": "user:email"}
        if "nonce" in asked:
            token["id_token"] = self._id_token(asked["nonce"])
        return web.json_response(token)

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 600,
            "nonce": nonce,
            **self.claims,
        }
        header = {"alg": "RS256", "kid": self.key.as_dict()["kid"]}
        return jwt.encode(header, claims, self.signed_by or self.key)

    async def about(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
            }
        )

    async def keys(self, request: web.Request) -> web.Response:
        return web.json_response({"keys": [self.key.as_dict(private=False)]})

    async def me(self, request: web.Request) -> web.Response:
        assert request.headers["authorization"] == "Bearer access"
        return web.json_response(self.user)

    async def my_emails(self, request: web.Request) -> web.Response:
        return web.json_response(self.emails)

    async def serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self.about)
        app.router.add_get("/keys", self.keys)
        app.router.add_post("/token", self.token)
        app.router.add_post("/login/oauth/access_token", self.token)
        app.router.add_get("/user", self.me)
        app.router.add_get("/user/emails", self.my_emails)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        await stop.wait()
        await runner.cleanup()


def sign_in(client: httpx.Client, provider: Provider, query: str = "") -> httpx.Response:
    """With GitHub, there and back."""
    left = client.get(f"/api/auth/oauth/github{query}")
    brought = provider.grant(left.headers["location"])
    return client.get("/api/auth/oauth/github/callback", params=brought)


@contextmanager
def running_provider() -> Iterator[Provider]:
    provider, started = Provider(), threading.Event()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[provider.serve(started, stop)])
    thread.start()
    assert started.wait(20)
    yield provider
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()
