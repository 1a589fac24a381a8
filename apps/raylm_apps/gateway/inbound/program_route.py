"""A route that programs ask all the time: described by FastAPI, bound by hand.

For a small stream FastAPI's binding takes as long as all that the gateway itself does.
"""

from functools import cached_property
from typing import Any, get_type_hints

import orjson
from fastapi import Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from raylm_apps.gateway.inbound.answer_cache import Ttl
from raylm_apps.gateway.inbound.caller import caller_of
from raylm_apps.gateway.presence import while_there

CLIENT_LEFT = 499  # nobody reads it but the log
CACHE_HEADER = "x-raylm-cache"
_ttl: TypeAdapter[int] = TypeAdapter(Ttl)


class ProgramRequest(Request):
    async def json(self) -> Any:
        """Parsed once, and strictly: halves of surrogate pairs no provider could be sent."""
        if not hasattr(self, "_json"):
            try:
                self._json = orjson.loads(await self.body())
            except orjson.JSONDecodeError as error:
                mistake = {"type": "json_invalid", "loc": ("body",), "msg": f"no JSON: {error}"}
                raise RequestValidationError([mistake]) from None
        return self._json

    @property
    def send(self) -> Send:
        return self._send


class ProgramRoute(APIRoute):
    """Its endpoint takes `caller`, `http`, `request` (the body's model) and, where answers may be
    kept, `cache_s`. Who leaves ends it."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await super().handle(scope, receive, send)  # which refuses it
            return
        http = ProgramRequest(scope, receive, send)
        try:
            await http.body()
        except ClientDisconnect:
            return
        if not await while_there(receive, self._respond(http, scope, receive, send)):
            await Response(status_code=CLIENT_LEFT)(scope, receive, send)

    async def _respond(
        self, http: ProgramRequest, scope: Scope, receive: Receive, send: Send
    ) -> None:
        body = await http.json()
        response: Response = await self.endpoint(
            http=http,
            caller=await caller_of(http),
            request=_validated(self._hints["request"], body),
            **self._kept(http),
        )
        await response(scope, receive, send)

    def _kept(self, http: ProgramRequest) -> dict[str, int]:
        header = http.headers.get(CACHE_HEADER)
        return {"cache_s": _cache_s(header)} if "cache_s" in self._hints else {}

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return get_type_hints(self.endpoint)


def _validated(model: type[BaseModel], body: Any) -> BaseModel:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise _named(error, "body") from None


def _cache_s(header: str | None) -> int:
    try:
        return 0 if header is None else _ttl.validate_python(header)
    except ValidationError as error:
        raise _named(error, "header", CACHE_HEADER) from None


def _named(error: ValidationError, *place: str) -> RequestValidationError:
    mistakes = error.errors(include_url=False)
    return RequestValidationError([{**one, "loc": (*place, *one["loc"])} for one in mistakes])
