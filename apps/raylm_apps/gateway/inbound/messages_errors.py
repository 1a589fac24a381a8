"""Failures in the shape that clients of Anthropic's API read."""

import math
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import orjson
import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from raylm.core.errors import StoreError
from raylm.core.wire.anthropic.errors import TOO_LONG, error_body, status_of
from raylm.core.wire.anthropic.stream_encoder import as_sse
from raylm.core.wire.failure import Failure, WireError
from raylm_apps.gateway.errors import ApiError, code_for
from raylm_apps.gateway.providers.base import ProviderError, ToolsRefusedError
from raylm_apps.gateway.providers.refusals import RefusedError
from raylm_apps.gateway.wire.error import explain

CLIENT_LEFT = 499  # nobody reads it but the log
OVERLOADED = (503, 529)
logger = structlog.get_logger()


class MessagesError(ApiError):
    """For middleware, which answers with what an error says of itself."""

    def body(self) -> dict[str, Any]:
        told = super().body()
        cause = f" ({told['cause']})" if told["cause"] else ""
        return error_body(self.status, f"{told['message']}{cause}")


class MessagesErrorDetail(BaseModel):
    type: str
    message: str


class MessagesErrorView(BaseModel):
    type: Literal["error"]
    error: MessagesErrorDetail


class MessagesRoute(APIRoute):
    """A route of Anthropic's API."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(_StrictRequest(request.scope, request.receive))
            except ClientDisconnect:
                return Response(status_code=CLIENT_LEFT)
            except ProviderError as error:
                return _show_failure(error)
            except RequestValidationError as error:
                return JSONResponse(error_body(400, explain(error.errors()[0])), 400)
            except WireError as error:  # in our own words about what was asked
                return JSONResponse(error_body(400, error.cause), 400)
            except ApiError as error:
                return _show(error)
            except HTTPException as error:
                return _show(ApiError(code_for(error.status_code)))
            except StoreError as error:
                logger.error("a store is away", error=str(error))
                return _show(ApiError("offline:chat"))

        return told


class _StrictRequest(Request):
    async def json(self) -> Any:
        """Refuses halves of surrogate pairs, which no provider could be sent."""
        return orjson.loads(await self.body())


def error_frame(error: Exception) -> bytes:
    """What ends a stream that cannot be ended well; clients raise it."""
    match error:
        case ProviderError():
            body = failure_body(error)
        case WireError():
            body = failure_body(ProviderError.of(error.failure, error.cause))
        case _:
            logger.error("a request failed", exc_info=error)
            body = MessagesError("internal:server").body()
    return as_sse(body)


def failure_body(error: ProviderError) -> dict[str, Any]:
    """Logs the cause, which is not for those who asked."""
    logger.warning("provider failed", failure=error.failure, cause=error.cause)
    message = error.message
    if error.failure is Failure.TOO_LONG:
        message = f"{TOO_LONG}: {message}"
    return error_body(_status(error), message)


def _show_failure(error: ProviderError) -> JSONResponse:
    seconds = error.retry_after_s
    headers = {} if seconds is None else {"retry-after": str(max(1, math.ceil(seconds)))}
    return JSONResponse(failure_body(error), _status(error), headers)


def _show(error: ApiError) -> JSONResponse:
    told = MessagesError(error.code, error.cause)
    return JSONResponse(told.body(), error.status, error.headers)


def _status(error: ProviderError) -> int:
    if isinstance(error, ToolsRefusedError):
        return 400
    if isinstance(error, RefusedError) and error.status in OVERLOADED:
        return 529
    return status_of(error.failure)
