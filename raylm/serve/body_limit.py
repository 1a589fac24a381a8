"""Refuses a body that is not JSON (415) or too large (413) before anything reads it whole."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from raylm.serve.errors import respond

MAX_BODY_BYTES = 10 * 2**20


class BodyLimit:
    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        try:
            self._admit(dict(scope["headers"]))
        except HTTPException as error:
            await respond(error)(scope, receive, send)
            return
        read_bytes = 0

        async def counted() -> Message:
            nonlocal read_bytes
            message = await receive()
            read_bytes += len(message.get("body", b""))
            self._check(read_bytes)
            return message

        await self._app(scope, counted, send)

    def _admit(self, headers: Mapping[bytes, bytes]) -> None:
        _require_json(headers.get(b"content-type", b"").decode("latin-1"))
        declared = headers.get(b"content-length", b"")
        self._check(int(declared) if declared.isdigit() else 0)

    def _check(self, size_bytes: int) -> None:
        if size_bytes > self._max_bytes:
            limit_mb = self._max_bytes >> 20
            raise HTTPException(413, f"the body is larger than {limit_mb} MB; send less")


def _require_json(content_type: str) -> None:
    media = content_type.partition(";")[0].strip().lower()
    if media != "application/json":
        raise HTTPException(
            415, f"content-type is {media or 'missing'!r}; it must be application/json"
        )
