"""What every request and response must obey: same origin, JSON bodies, bounded size, headers."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from raylm_apps.gateway.errors import ApiError, FileError

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
_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
FORM_BYTES = 64_000
"""What a form has around its file."""

Respond = Callable[[Scope, ApiError], JSONResponse]


@dataclass(frozen=True)
class BodyRule:
    max_bytes: int
    content_type: str = "application/json"
    error: type[ApiError] = ApiError
    surface: str = "api"


class Security:
    """ASGI middleware. Bodies are JSON, but for a form with a file at one address."""

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        max_file_bytes: int,
        max_api_body_bytes: int,
        respond: Respond,
    ) -> None:
        self._app = app
        self._respond = respond
        self._rule = BodyRule(max_body_bytes)
        self._api_rule = BodyRule(max_api_body_bytes)
        upload = BodyRule(max_file_bytes + FORM_BYTES, "multipart/form-data", FileError, "file")
        self._rules = {"/api/files/upload": upload}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                ours = [header for header in _HEADERS if header[0] not in given]
                message["headers"] = [*message["headers"], *ours]
            await send(message)

        rule = self._rule_of(scope["path"])
        error = refusal(scope["method"], Headers(scope=scope), rule)
        if error is not None:
            response = self._respond(scope, error)
            await response(scope, receive, guarded_send)
            return
        await self._app(scope, _bounded(receive, rule.max_bytes), guarded_send)

    def _rule_of(self, path: str) -> BodyRule:
        default = self._api_rule if path.startswith("/v1/") else self._rule
        return self._rules.get(path, default)


def _bounded(receive: Receive, left: int) -> Receive:
    """A body without content-length is counted as it comes."""

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413)
        return message

    return bounded


def refusal(method: str, headers: Headers, rule: BodyRule) -> ApiError | None:
    """Why a request must not reach its route."""
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > rule.max_bytes:
        return rule.error(f"too_large:{rule.surface}", f"at most {rule.max_bytes} bytes")
    if method in SAFE_METHODS:
        return None
    if api_key(headers) is None and not _is_same_origin(headers):
        return rule.error("forbidden:api")
    has_body = length != "0" or "transfer-encoding" in headers
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if has_body and content_type != rule.content_type:
        given = content_type[:100] or "no content-type"
        return rule.error(f"unsupported_media_type:{rule.surface}", given)
    return None


def api_key(headers: Headers) -> str | None:
    """As a bearer token, or as Anthropic's clients send it. Browsers never add one by themselves;
    where there is one, the cookie counts for nothing."""
    key = headers.get("x-api-key")
    if key is not None:
        return key.strip()
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _is_same_origin(headers: Headers) -> bool:
    """Browsers say where a write comes from; programs without cookies of others may be silent."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")
