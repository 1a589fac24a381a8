import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from raylm_apps.gateway.store import answers, messages
from raylm_apps.gateway.store.answers import AnswerState, AnswerWriter
from raylm_apps.gateway.store.messages import Message, Status
from raylm_apps.gateway.store.pool import Database
from tests.apps.gateway.harness import new_id
from tests.apps.gateway.storing import store_exchange

pytestmark = pytest.mark.services


@pytest.fixture
async def writer(database: Database) -> AsyncIterator[AnswerWriter]:
    writer = AnswerWriter(database)
    loop = asyncio.create_task(writer.run())
    yield writer
    loop.cancel()


async def new_answer(database: Database) -> Message:
    async with database.transaction() as connection:
        return (await store_exchange(connection, new_id(), new_id())).answer


def state(answer: Message, text: str, status: Status = Status.STREAMING) -> AnswerState:
    parts = [{"type": "step-start"}, {"type": "text", "text": text}]
    return AnswerState(answer.chat_id, answer.id, status, parts, {"n": len(text)})


async def stored(database: Database, answer: Message) -> Message:
    async with database.connection() as connection:
        found = await messages.find(connection, answer.chat_id, answer.id)
    assert found is not None
    return found


async def test_the_newest_state_wins(database: Database, writer: AnswerWriter) -> None:
    answer = await new_answer(database)
    for number in range(50):
        saved = writer.save(state(answer, "x" * number))
        await asyncio.sleep(0.001)
    await writer.save(state(answer, "whole", Status.COMPLETE)).wait()
    assert saved.is_set()
    found = await stored(database, answer)
    assert (found.text, found.status, found.details) == ("whole", Status.COMPLETE, {"n": 5})
    assert writer.backlog == 0


async def test_many_answers_at_once(database: Database, writer: AnswerWriter) -> None:
    written = [await new_answer(database) for _ in range(20)]
    events = [writer.save(state(answer, answer.id)) for answer in written]
    await asyncio.gather(*(event.wait() for event in events))
    for answer in written:
        assert (await stored(database, answer)).text == answer.id


async def test_one_that_is_refused_holds_back_no_other(
    database: Database, writer: AnswerWriter
) -> None:
    good, bad = await new_answer(database), await new_answer(database)
    events = [writer.save(state(bad, "nul \x00")), writer.save(state(good, "good"))]
    await asyncio.gather(*(event.wait() for event in events))
    assert (await stored(database, good)).text == "good"
    assert (await stored(database, bad)).text == ""


async def test_an_answer_that_moved_is_not_settled(database: Database) -> None:
    answer = await new_answer(database)
    async with database.connection() as connection:
        (seen,) = await answers.unfinished(connection, answer.chat_id)
        assert seen.silent_s < 60
        ended = state(answer, "partial", Status.INTERRUPTED)
        assert await answers.settle(connection, seen, ended)
        assert not await answers.settle(connection, seen, ended)
        assert await answers.unfinished(connection, answer.chat_id) == []
    assert (await stored(database, answer)).status is Status.INTERRUPTED


async def test_words_come_with_the_end_in_one_commit(
    database: Database, writer: AnswerWriter
) -> None:
    answer = await new_answer(database)
    await writer.save(state(answer, "a growing text")).wait()
    assert await words(database, answer) == []
    ended = state(answer, "the whole text", Status.COMPLETE)
    for _ in range(2):  # the second time as after an outage that hid a commit
        await writer.save(ended).wait()
    (row,) = await words(database, answer)
    assert row["answer_xmin"] == row["words_xmin"]
    assert "whole" in row["words"]
    assert "growing" not in row["words"]


async def test_a_deadlock_costs_no_answer(database: Database, writer: AnswerWriter) -> None:
    first, second = await new_answer(database), await new_answer(database)
    lock = "select from messages where chat_id = $1 for update"
    async with database.transaction() as connection:
        await connection.execute("set local deadlock_timeout = '30s'")  # the writer gives way
        await connection.execute(lock, second.chat_id)
        saved = [writer.save(state(each, "whole", Status.COMPLETE)) for each in (first, second)]
        async with asyncio.timeout(20):
            while not await connection.fetchval(
                "select exists (select from pg_locks where not granted)"
            ):
                await asyncio.sleep(0.01)
        await connection.execute(lock, first.chat_id)
    async with asyncio.timeout(20):
        await asyncio.gather(*(event.wait() for event in saved))
    for answer in (first, second):
        assert (await stored(database, answer)).status is Status.COMPLETE


async def words(database: Database, answer: Message) -> list[Any]:
    """What was written beside an answer."""
    async with database.connection() as connection:
        return await connection.fetch(
            """select words.words::text, m.xmin::text as answer_xmin,
                      words.xmin::text as words_xmin
               from messages m
               join message_words words on words.chat_id = m.chat_id and words.seq = m.seq
               where m.chat_id = $1 and m.id = $2""",
            answer.chat_id,
            answer.id,
        )
