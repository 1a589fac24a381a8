"""Errors as clients of OpenAI's API know them."""

import structlog

from raylm.core.errors import RequestError
from raylm.core.wire.failure import Failure
from raylm.core.wire.openai import ErrorBody
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.providers.base import ProviderError
from raylm_apps.gateway.providers.refusals import RefusedError

STATUS = {
    Failure.BUSY: 429,
    Failure.TIMEOUT: 504,
    Failure.TOO_LONG: 400,
    Failure.POLICY: 400,
    Failure.REQUEST: 400,
    Failure.MISSING: 404,
    Failure.UNREACHABLE: 503,
}
CODES = {
    Failure.TOO_LONG: "context_length_exceeded",
    Failure.POLICY: "content_policy_violation",
    Failure.MISSING: "model_not_found",
}
ABOUT_REQUEST = frozenset({Failure.REQUEST, Failure.TOO_LONG, Failure.POLICY, Failure.MISSING})
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
logger = structlog.get_logger()


def describe(error: Exception) -> tuple[int, ErrorBody]:
    match error:
        case ApiError():
            return of_api(error)
        case ProviderError():
            return of_provider(error)
        case RequestError():
            return of_request(error)
        case _:
            logger.error("a request failed", exc_info=error)
            return of_api(ApiError("internal:server"))


def error_frame(error: Exception) -> bytes:
    """What ends a stream that cannot be ended well; clients raise it."""
    _, body = describe(error)
    return b"data: " + body.model_dump_json().encode() + b"\n\n"


def of_api(error: ApiError) -> tuple[int, ErrorBody]:
    body = error.body()
    message = body["message"] if body["cause"] is None else f"{body['message']} ({body['cause']})"
    code = "model_not_found" if error.code == "not_found:model" else error.code
    return error.status, ErrorBody.of(message, _type(error.status), code=code)


def of_request(error: RequestError) -> tuple[int, ErrorBody]:
    return 400, ErrorBody.of(str(error), _type(400), param=error.param)


def of_provider(error: ProviderError) -> tuple[int, ErrorBody]:
    """A refused key is the operator's trouble, and no 401 of the client's; what is wrong with the
    request, the provider knows best."""
    status = STATUS.get(error.failure, 502)
    code = CODES.get(error.failure, error.failure.replace("-", "_"))
    return status, ErrorBody.of(_message(error), _type(status), code=code)


def _message(error: ProviderError) -> str:
    said = error.said if isinstance(error, RefusedError) and error.failure in ABOUT_REQUEST else ""
    return f"{error.message} {said}" if said else error.message


def _type(status: int) -> str:
    if status in TYPES:
        return TYPES[status]
    return "invalid_request_error" if status < 500 else "server_error"
