"""UI message streams as HTTP responses."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable

import orjson
import structlog
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from raylm_apps.gateway.answer_log import DONE, PING, EventId, frame
from raylm_apps.gateway.presence import while_there
from raylm_apps.gateway.redis_client import UNAVAILABLE
from raylm_apps.gateway.streams import Batch
from raylm_apps.gateway.tool_parts import Part

logger = structlog.get_logger()
HEADERS = {
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
    "x-vercel-ai-ui-message-stream": "v1",
}
STREAM = {"description": "a UI message stream", "content": {"text/event-stream": {}}}
"""For /openapi.json; a response class with this media type would claim it for the errors too."""


class EventStream(StreamingResponse):
    """Ends with its reader."""

    media_type = "text/event-stream"
    when_sent: Callable[[], None] | None = None
    """Called when its reader has all of it, or is gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await while_there(receive, self.stream_response(send))
        finally:
            if isinstance(self.body_iterator, AsyncGenerator):
                await self.body_iterator.aclose()
            if self.when_sent is not None:
                self.when_sent()


def sse_response(body: AsyncIterator[bytes]) -> EventStream:
    return EventStream(body, headers=HEADERS)


async def batches_as_sse(
    batches: AsyncIterator[Batch], pause_s: float, heartbeat_s: float
) -> AsyncIterator[bytes]:
    """The same bytes as the first reader's; `pause_s` is how long an empty batch was waited for."""
    silent_s = 0.0
    try:
        async for batch in batches:
            if batch.events:
                silent_s = 0.0
                yield b"".join(frame(event_id, data) for event_id, data in batch.events)
            elif (silent_s := silent_s + pause_s) >= heartbeat_s:
                silent_s = 0.0
                yield PING
            if batch.ending is not None:
                yield DONE
    except UNAVAILABLE as error:
        logger.warning("a reader was cut off", error=str(error))


async def parts_as_sse(parts: list[Part]) -> AsyncIterator[bytes]:
    yield b"".join(frame(EventId(1, i), orjson.dumps(part)) for i, part in enumerate(parts)) + DONE
