"""Server-sent events, read from a byte stream."""

from collections.abc import AsyncIterable, AsyncIterator

MAX_EVENT_BYTES = 1_000_000


class SseError(ValueError):
    pass


async def sse_data(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The `data:` of each event; chunks may break anywhere, even inside a character."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_EVENT_BYTES:
            raise SseError(f"an event of more than {MAX_EVENT_BYTES} bytes")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()
