"""What every request and response must obey: same origin, JSON bodies, bounded size, headers."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from raylm_apps.gateway.errors import ApiError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    # style attributes are what syntax highlighting and formulas are made of; scripts never
    "content-security-policy": (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Security:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        error = refusal(scope["method"], Headers(scope=scope), self._max_body_bytes)
        if error is not None:
            response = JSONResponse(error.body(), error.status)
            await response(scope, receive, guarded_send)
            return
        await self._app(scope, self._bounded(receive), guarded_send)

    def _bounded(self, receive: Receive) -> Receive:
        """A body without content-length is counted as it comes."""
        left = self._max_body_bytes

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413)
            return message

        return bounded


def refusal(method: str, headers: Headers, max_body_bytes: int) -> ApiError | None:
    """Why a request must not reach its route."""
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > max_body_bytes:
        return ApiError("too_large:api", f"at most {max_body_bytes} bytes")
    if method in SAFE_METHODS:
        return None
    if bearer_token(headers) is None and not _is_same_origin(headers):
        return ApiError("forbidden:api")
    has_body = length != "0" or "transfer-encoding" in headers
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if has_body and content_type != "application/json":
        return ApiError("unsupported_media_type:api", content_type[:100] or "no content-type")
    return None


def bearer_token(headers: Headers) -> str | None:
    """Browsers never add one by themselves; where there is one, the cookie counts for nothing."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _is_same_origin(headers: Headers) -> bool:
    """Browsers say where a write comes from; programs without cookies of others may be silent."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")
