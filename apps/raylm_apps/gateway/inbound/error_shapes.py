"""An error in the shape that the clients of an address know."""

import math
from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import Scope

from raylm.core.errors import RequestError
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.inbound import messages_errors, openai_errors
from raylm_apps.gateway.providers.base import ProviderError

FROM_ANTHROPIC = "anthropic-version"  # a header that every client of its API sends
Refusal = ApiError | ProviderError | RequestError


def error_response(
    scope: Scope, error: Refusal, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    status, body = _shaped(scope, error)
    return JSONResponse(body, status, {**_headers(error), **(headers or {})})


def speaks_anthropic(scope: Scope) -> bool:
    """Both formats have models, at one address."""
    path: str = scope["path"]
    if path.startswith("/v1/models"):
        return bool(Headers(scope=scope).get(FROM_ANTHROPIC))
    return path.startswith("/v1/messages")


def _shaped(scope: Scope, error: Refusal) -> tuple[int, Mapping[str, Any]]:
    if speaks_anthropic(scope):
        return messages_errors.describe(error)
    if scope["path"].startswith("/v1/"):
        status, body = openai_errors.describe(error)
        return status, body.model_dump()
    shown = _of_the_chat(error)
    return shown.status, shown.body()


def _of_the_chat(error: Refusal) -> ApiError:
    match error:
        case ApiError():
            return error
        case ProviderError():
            return ApiError("offline:chat", error.message)
        case RequestError():
            return ApiError("bad_request:api", str(error))


def _headers(error: Refusal) -> dict[str, str]:
    if isinstance(error, ApiError):
        return error.headers
    wait_s = getattr(error, "retry_after_s", None)
    return {} if wait_s is None else {"retry-after": str(max(1, math.ceil(wait_s)))}
