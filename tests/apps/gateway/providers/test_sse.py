import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm_apps.gateway.providers.sse import MAX_EVENT_BYTES, SseError, sse_data

STREAM = 'event: x\ndata: {"a":"é"}\r\n\r\n: ping\n\ndata:[DONE]\n\n'.encode()


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@given(st.lists(st.integers(0, len(STREAM))))
async def test_chunks_may_break_anywhere(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[a:b] for a, b in itertools.pairwise(edges)]
    found = [data async for data in sse_data(chunks(*pieces))]
    assert found == ['{"a":"é"}'.encode(), b"[DONE]"]


async def test_a_picture_may_come_in_one_event() -> None:
    pieces = [b"x" * 65_536] * 50
    found = [data async for data in sse_data(chunks(b"data: ", *pieces, b"\n\ndata: y\n"))]
    assert found == [b"".join(pieces), b"y"]


async def test_an_endless_line_is_refused() -> None:
    with pytest.raises(SseError):
        async for _ in sse_data(chunks(b"data: ", b"x" * (MAX_EVENT_BYTES + 1))):
            pass
