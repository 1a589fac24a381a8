"""An error in the shape that the clients of an address know."""

import math
from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse

from raylm.core.errors import RequestError
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.inbound import messages_errors, openai_errors
from raylm_apps.gateway.providers.base import ProviderError

Refusal = ApiError | ProviderError | RequestError


def error_response(
    path: str, error: Refusal, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    status, body = _shaped(path, error)
    return JSONResponse(body, status, {**_headers(error), **(headers or {})})


def _shaped(path: str, error: Refusal) -> tuple[int, Mapping[str, Any]]:
    if path.startswith("/v1/messages"):
        return messages_errors.describe(error)
    if path.startswith("/v1/"):
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
