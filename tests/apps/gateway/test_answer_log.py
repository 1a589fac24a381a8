import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm_apps.gateway.answer_log import DONE, PING, AnswerKey, AnswerLog, EventId


@pytest.fixture
def log() -> AnswerLog:
    return AnswerLog(AnswerKey("chat", "message"))


async def read(log: AnswerLog) -> bytes:
    return b"".join([chunk async for chunk in log.follow(60)])


async def test_early_and_late_readers_get_the_same_bytes(log: AnswerLog) -> None:
    early = asyncio.create_task(read(log))
    for number in range(3):
        log.append({"n": number})
        log.reveal()
        await asyncio.sleep(0)
    log.end("complete")
    log.reveal()
    body = await early
    assert body == await read(log)
    assert body.startswith(b'id: %d-0\ndata: {"n":0}\n\n' % log.started_ms)
    assert body.endswith(DONE)


async def test_what_is_not_revealed_is_not_read(log: AnswerLog) -> None:
    reader = log.follow(60)
    log.append({"n": 0})
    log.append({"n": 1})
    log.reveal(1)
    assert b'{"n":1}' not in await anext(reader)
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    log.reveal()
    assert b'{"n":1}' in await waiting


async def test_a_silent_stream_has_a_heartbeat(log: AnswerLog) -> None:
    assert await anext(log.follow(0.01)) == PING


def test_keys_name_their_stream() -> None:
    assert AnswerKey("chat", "message").stream == "stream:chat:message"


@given(st.integers(0, 2**53), st.integers(0, 10**6))
def test_event_ids_survive_their_text(started_ms: int, number: int) -> None:
    event_id = EventId(started_ms, number)
    assert EventId.parse(str(event_id)) == event_id


@given(st.text())
def test_any_text_is_an_event_id_or_refused(text: str) -> None:
    try:
        event_id = EventId.parse(text)
    except ValueError:
        return
    assert event_id.started_ms >= 0
    assert event_id.number >= 0
