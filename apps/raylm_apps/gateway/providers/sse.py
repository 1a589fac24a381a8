"""Server-sent events, read from a byte stream."""

from collections.abc import AsyncIterable, AsyncIterator

MAX_EVENT_BYTES = 8_000_000  # pictures come whole, in base64


class SseError(ValueError):
    pass


async def sse_data(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The `data:` of each event; chunks may break anywhere, even inside a character."""
    begun, size = list[bytes](), 0  # of the line that has not ended
    async for chunk in chunks:
        begun.append(chunk)
        size += len(chunk)
        if b"\n" in chunk:
            *lines, rest = b"".join(begun).split(b"\n")
            begun, size = [rest], len(rest)
            for line in lines:
                if line.startswith(b"data:"):
                    yield line[5:].strip()
        if size > MAX_EVENT_BYTES:
            raise SseError(f"an event of more than {MAX_EVENT_BYTES} bytes")
