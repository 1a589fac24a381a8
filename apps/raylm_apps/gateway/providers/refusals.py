"""What it means that a provider's server refuses."""

import re

import aiohttp
import orjson

from raylm.core.wire.failure import Failure
from raylm_apps.gateway.providers.base import HIDDEN, ProviderError
from raylm_apps.gateway.providers.redaction import redacted

MOST_BYTES = 4_000  # Google says last when to come again
MOST_WORDS = 500
_TOO_LONG = re.compile(
    r"context.{0,12}(length|window|size|limit|overflow)|too long|too many tokens"
    r"|maximum.{1,20}tokens|max_(completion_)?tokens\W.{0,60}(large|exceed|>|at most)"
    r"|token count.{1,30}exceeds",
    re.I,
)
_POLICY = re.compile(r"content.?(policy|filter|management)|moderation|safety|responsible.?ai", re.I)
_UNPAID = re.compile(r"credit balance|spend limit|API usage limit", re.I)
# Google's, with status 400: a wrong key, a country or a bill.
_KEY = re.compile(r"API.key (not valid|expired)|API_KEY_INVALID|FAILED_PRECONDITION", re.I)
_RETRY_DELAY = re.compile(r'"retryDelay":\s*"([\d.]+)s"')
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

    @property
    def said(self) -> str:
        """The server's own words, where it is an API's error."""
        try:
            error = orjson.loads(self.body)["error"]
            words = error if isinstance(error, str) else error["message"]
        except (orjson.JSONDecodeError, LookupError, TypeError):
            return ""
        return redacted(words[:MOST_WORDS]) if isinstance(words, str) else ""

    def hide(self, secret: str) -> None:
        super().hide(secret)
        self.body = self.body.replace(secret, HIDDEN)


async def read_error(response: aiohttp.ClientResponse) -> str:
    return (await response.content.read(MOST_BYTES)).decode(errors="replace")


def refusal_of(response: aiohttp.ClientResponse, body: str) -> RefusedError:
    error = RefusedError.of(
        failure_of(response.status, body),
        f"HTTP {response.status}: {body}",
        retry_after_s=retry_after_s(response.headers.get("retry-after"), body),
    )
    error.status, error.body = response.status, body
    return error


def failure_of(status: int, body: str) -> Failure:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status < 400 or status >= 500:  # a redirect, too, is no answer
        return Failure.SERVER
    if _KEY.search(body) or _UNPAID.search(body):
        return Failure.KEY
    if _POLICY.search(body):
        return Failure.POLICY
    return Failure.TOO_LONG if _TOO_LONG.search(body) else Failure.REQUEST


def retry_after_s(header: str | None, body: str = "") -> float | None:
    """Seconds; the header's other form, a date, is nobody's among the providers, and Google says
    it in the body."""
    told = _RETRY_DELAY.search(body)
    try:
        return max(float(header or (told[1] if told else "")), 0.0)
    except ValueError:
        return None
