"""The server-sent events of one streamed answer."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from pydantic import BaseModel

from raylm.serve.answers import Answer
from raylm.serve.errors import describe
from raylm.serve.generation import Batch, Piece
from raylm.serve.usage import usage_of

DONE = b"data: [DONE]\n\n"


async def stream_events(
    answer: Answer,
    batches: AsyncGenerator[Batch, None],
    choices: int,
    n: int,
    *,
    include_usage: bool,
) -> AsyncGenerator[bytes, None]:
    """One item per batch. A failure before the first raises; a later one becomes an event."""
    said = [Piece()] * choices
    chars: dict[int, int] = {}
    try:
        async with aclosing(batches):
            async for batch in batches:
                events = []
                for index, piece in batch.items():
                    events.append(_event(answer.chunk(index, piece, chars.get(index))))
                    chars[index] = chars.get(index, 0) + len(piece.text)
                    said[index] += piece.counts()
                yield b"".join(events)
    except Exception as error:
        if not chars:
            raise
        _, body = describe(error)
        yield _event(body)
        return
    if include_usage:
        yield _event(answer.usage(usage_of(said, n))) + DONE
    else:
        yield DONE


def _event(payload: BaseModel) -> bytes:
    return b"data: " + payload.model_dump_json().encode() + b"\n\n"
