"""Failures in the shape that clients of Anthropic's API read."""

from typing import Any, Literal

import structlog
from pydantic import BaseModel

from raylm.core.errors import RequestError
from raylm.core.wire.anthropic.errors import TOO_LONG, error_body, status_of
from raylm.core.wire.anthropic.stream_encoder import as_sse
from raylm.core.wire.failure import Failure, WireError
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.providers.base import ProviderError, ToolsRefusedError
from raylm_apps.gateway.providers.refusals import RefusedError

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


def describe(error: ApiError | ProviderError | RequestError) -> tuple[int, dict[str, Any]]:
    match error:
        case ApiError():
            return error.status, MessagesError(error.code, error.cause).body()
        case ProviderError():
            return _status(error), failure_body(error)
        case RequestError():
            return 400, error_body(400, str(error))


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


def _status(error: ProviderError) -> int:
    if isinstance(error, ToolsRefusedError):
        return 400
    if isinstance(error, RefusedError) and error.status in OVERLOADED:
        return 529
    return status_of(error.failure)
