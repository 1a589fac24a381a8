"""Anthropic's error body: `{"type": "error", "error": {"type", "message"}}`."""

from typing import Any

from raylm.core.wire.failure import Failure

TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
# Where the key is refused it is ours, and no fault of who asked us.
STATUSES = {
    Failure.BUSY: 429,
    Failure.TIMEOUT: 504,
    Failure.MISSING: 404,
    Failure.REQUEST: 400,
    Failure.TOO_LONG: 400,
    Failure.POLICY: 400,
}
TOO_LONG = "prompt is too long"  # by which clients know that they should shorten it


def error_body(status: int, message: str) -> dict[str, Any]:
    kind = TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


def status_of(failure: Failure) -> int:
    return STATUSES.get(failure, 502)
