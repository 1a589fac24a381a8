"""Which HTTP status and which OpenAI error body an error becomes."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from raylm.core.errors import (
    CheckpointError,
    InUseError,
    ModelNotFoundError,
    OutOfMemoryError,
    OverloadedError,
    PromptTooLongError,
    RayLMError,
    RequestError,
    UsageError,
    WeightsError,
)
from raylm.core.wire.openai import ErrorBody

RETRY_AFTER_S = 1
HANDLED = (RayLMError, RequestValidationError, HTTPException, Exception)

logger = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    for kind in HANDLED:
        app.add_exception_handler(kind, _handle)


async def _handle(_: Request, error: Exception) -> Response:
    return respond(error)


def respond(error: Exception) -> Response:
    status, body = describe(error)
    headers: Mapping[str, str] = getattr(error, "headers", None) or {}
    if status == 429:
        wait_s = getattr(error, "retry_after_s", RETRY_AFTER_S)
        headers = {**headers, "retry-after": str(math.ceil(wait_s))}
    return Response(body.model_dump_json(), status, headers, "application/json")


def describe(error: Exception) -> tuple[int, ErrorBody]:
    """The status and the body; an error that is the server's fault is logged."""
    match error:
        case RequestValidationError():
            return 400, _invalid(error.errors())
        case PromptTooLongError():
            return 400, _client_error(error, param=error.param, code="context_length_exceeded")
        case RequestError():
            return 400, _client_error(error, param=error.param)
        case ModelNotFoundError():
            return 404, _client_error(error, param="model", code="model_not_found")
        case InUseError():
            return 409, _client_error(error, param="name", code="model_exists")
        case UsageError() | WeightsError() | CheckpointError():
            return 400, _client_error(error, param="model")
        case OutOfMemoryError():
            return 507, ErrorBody.of(str(error), "server_error", code="out_of_memory")
        case OverloadedError():
            return 429, ErrorBody.of(str(error), "rate_limit_error", code="overloaded")
        case HTTPException():
            return error.status_code, _client_error(error.detail)
        case RayLMError():
            logger.error("a request failed: %s", error, exc_info=error)
            return 500, ErrorBody.of(str(error), "server_error", code="engine_error")
        case _:
            logger.error("a request failed unexpectedly", exc_info=error)
            return 500, ErrorBody.of("the server failed; its log tells why", "server_error")


def _client_error(error: object, *, param: str | None = None, code: str | None = None) -> ErrorBody:
    return ErrorBody.of(str(error), "invalid_request_error", param=param, code=code)


def _invalid(details: Sequence[Mapping[str, Any]]) -> ErrorBody:
    """The first mistake; a union reports one per member, and the first says enough."""
    detail = details[0]
    if detail["type"] == "json_invalid":
        place = detail["loc"][-1]
        return _client_error(f"the body is not valid JSON: {detail['ctx']['error']} at {place}")
    param = _param(detail["loc"])
    message = detail["msg"].removeprefix("Value error, ")
    return _client_error(f"{param}: {message}" if param else message, param=param)


def _param(loc: Sequence[int | str]) -> str | None:
    """`("body", "messages", 0, "content", "str")` -> `messages[0].content`."""
    path = ""
    for part in loc[1:]:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier() and part not in _UNION_TAGS:
            path += f".{part}" if path else part
    return path or None


_UNION_TAGS = {"str", "int", "float"}
