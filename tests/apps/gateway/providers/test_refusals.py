"""What providers say when they refuse, in their own words, and what it means."""

import json

import pytest

from raylm.core.wire.failure import Failure
from raylm_apps.gateway.providers.refusals import failure_of


def google(status: int, name: str, message: str, **details: str) -> tuple[int, str]:
    told = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **details}] if details else []
    error = {"code": status, "message": message, "status": name, "details": told}
    return status, json.dumps({"error": error})


@pytest.mark.parametrize(
    ("refusal", "failure"),
    [
        (
            google(
                400,
                "INVALID_ARGUMENT",
                "API key not valid. Please pass a valid API key.",
                reason="API_KEY_INVALID",
            ),
            Failure.KEY,
        ),
        (
            google(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key."),
            Failure.KEY,
        ),
        (
            google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
            Failure.KEY,
        ),
        (google(403, "PERMISSION_DENIED", "Your API key was reported as leaked."), Failure.KEY),
        (google(401, "UNAUTHENTICATED", "Invalid credentials."), Failure.KEY),
        (
            google(
                400,
                "INVALID_ARGUMENT",
                "The input token count (1500000) exceeds the maximum number of tokens allowed "
                "(1048576).",
            ),
            Failure.TOO_LONG,
        ),
        (
            google(400, "INVALID_ARGUMENT", "The input token count exceeds the limit."),
            Failure.TOO_LONG,
        ),
        (
            google(400, "INVALID_ARGUMENT", "Invalid JSON payload received. Unknown name."),
            Failure.REQUEST,
        ),
        (google(404, "NOT_FOUND", "models/x is not found for API version v1beta"), Failure.MISSING),
        (google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota."), Failure.BUSY),
        (google(500, "INTERNAL", "An internal error has occurred."), Failure.SERVER),
        (google(503, "UNAVAILABLE", "The model is overloaded."), Failure.BUSY),
        (google(504, "DEADLINE_EXCEEDED", "The request timed out."), Failure.TIMEOUT),
    ],
)
def test_googles(refusal: tuple[int, str], failure: Failure) -> None:
    assert failure_of(*refusal) is failure
