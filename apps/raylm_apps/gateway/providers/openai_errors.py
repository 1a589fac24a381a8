"""What a server's refusal means, in words for users."""

import aiohttp

from raylm_apps.gateway.providers.base import ProviderError

UNREACHABLE = "The model cannot be reached at the moment. Please try again."
MOST_BYTES = 2_000


async def check(response: aiohttp.ClientResponse) -> None:
    if response.status != 200:
        raise error_of(response.status, await read_error(response))


async def read_error(response: aiohttp.ClientResponse) -> str:
    return (await response.content.read(MOST_BYTES)).decode(errors="replace")


def error_of(status: int, body: str) -> ProviderError:
    cause = f"HTTP {status}: {body}"
    if status == 429:
        return ProviderError("The model is busy. Please try again in a moment.", cause=cause)
    if status in (400, 413) and "context" in body:
        return ProviderError("This conversation is too long for the model.", cause=cause)
    return ProviderError(UNREACHABLE, cause=cause)
