"""What it means that a provider's server refuses."""

import re

import aiohttp

from raylm.core.wire.failure import Failure
from raylm_apps.gateway.providers.base import ProviderError

MOST_BYTES = 2_000
_TOO_LONG = re.compile(
    r"context.{0,12}(length|window|size|limit|overflow)|too long|too many tokens"
    r"|maximum.{1,20}tokens|max_(completion_)?tokens\W.{0,60}(large|exceed|>|at most)",
    re.I,
)
_POLICY = re.compile(r"content.?(policy|filter|management)|moderation|safety|responsible.?ai", re.I)
_UNPAID = re.compile(r"credit balance|spend limit|API usage limit", re.I)
_BY_STATUS = {
    401: Failure.KEY,
    402: Failure.KEY,  # nothing left to pay with
    403: Failure.KEY,
    404: Failure.MISSING,
    408: Failure.TIMEOUT,
    413: Failure.TOO_LONG,
    429: Failure.BUSY,
    503: Failure.BUSY,
    504: Failure.TIMEOUT,
    529: Failure.BUSY,  # Anthropic's, overloaded
}


class RefusedError(ProviderError):
    """`body` is the beginning of what the server said."""

    status: int
    body: str


async def read_error(response: aiohttp.ClientResponse) -> str:
    return (await response.content.read(MOST_BYTES)).decode(errors="replace")


def refusal_of(response: aiohttp.ClientResponse, body: str) -> RefusedError:
    error = RefusedError.of(
        failure_of(response.status, body),
        f"HTTP {response.status}: {body}",
        retry_after_s=retry_after_s(response.headers.get("retry-after")),
    )
    error.status, error.body = response.status, body
    return error


def failure_of(status: int, body: str) -> Failure:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status < 400 or status >= 500:  # a redirect, too, is no answer
        return Failure.SERVER
    if _UNPAID.search(body):
        return Failure.KEY
    if _POLICY.search(body):
        return Failure.POLICY
    return Failure.TOO_LONG if _TOO_LONG.search(body) else Failure.REQUEST


def retry_after_s(header: str | None) -> float | None:
    """Seconds; the header's other form, a date, is nobody's among the providers."""
    try:
        return max(float(header), 0.0) if header else None
    except ValueError:
        return None
