import asyncio
from collections.abc import AsyncIterator

import pytest

from raylm_apps.gateway.store import branches, chats, messages, users
from raylm_apps.gateway.store.exchanges import Refusal, RefusedError
from raylm_apps.gateway.store.pool import Connection, Database
from tests.apps.gateway.harness import new_id
from tests.apps.gateway.storing import store_exchange

pytestmark = pytest.mark.services


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    async with database.connection() as connection:
        yield connection


async def test_the_first_question_begins_a_chat(connection: Connection) -> None:
    user, chat = new_id(), new_id()
    stored = await store_exchange(connection, user, chat, title="Rivers", visibility="members")
    assert (stored.is_new_chat, stored.is_repeat) == (True, False)
    assert [message.id for message in stored.path] == ["question"]
    assert stored.path[0].parts == [{"type": "text", "text": "How deep?"}]
    assert (stored.answer.parent_id, stored.answer.status) == ("question", "streaming")
    found = await chats.find(connection, chat, user)
    assert found is not None
    assert (found.chat.title, found.chat.visibility) == ("Rivers", "members")
    assert await messages.find(connection, chat, stored.answer.id) == stored.answer


async def test_the_next_one_goes_on_from_the_newest_answer(connection: Connection) -> None:
    user, chat = new_id(), new_id()
    first = await store_exchange(connection, user, chat)
    second = await store_exchange(connection, user, chat, "second", title="not this one")
    assert not second.is_new_chat
    assert [message.id for message in second.path] == ["question", first.answer.id, "second"]
    short = await store_exchange(connection, user, chat, "third", path_limit=2)
    assert [message.id for message in short.path] == [second.answer.id, "third"]


async def test_posted_again_it_has_its_answer_even_where_no_more_are_allowed(
    connection: Connection,
) -> None:
    user, chat = new_id(), new_id()
    first = await store_exchange(connection, user, chat)
    again = await store_exchange(connection, user, chat, may_answer=False)
    assert again.is_repeat
    assert again.answer == first.answer


async def test_of_ten_at_once_one_begins(database: Database) -> None:
    user, chat = new_id(), new_id()

    async def post() -> bool:
        async with database.connection() as connection:
            return (await store_exchange(connection, user, chat)).is_repeat

    repeats = await asyncio.gather(*(post() for _ in range(10)))
    assert sorted(repeats) == [False] + [True] * 9


async def test_two_questions_at_once_do_not_fork_the_chat(database: Database) -> None:
    user, chat = new_id(), new_id()

    async def post(question: str) -> None:
        async with database.connection() as connection:
            await store_exchange(connection, user, chat, question)

    await asyncio.gather(*(post(f"question-{number}") for number in range(8)))
    async with database.connection() as connection:
        path = await messages.path(connection, chat, user)
    assert len(path) == 16


async def test_an_edited_question_keeps_the_old_one_and_its_answer(connection: Connection) -> None:
    user, chat = new_id(), new_id()
    first = await store_exchange(connection, user, chat)
    edited = await store_exchange(connection, user, chat, text="How wide?")
    assert not edited.is_repeat
    assert [message.text for message in edited.path] == ["How wide?"]
    old = await messages.find(connection, chat, first.answer.id)
    assert old is not None
    assert old.parent_id != "question"


async def test_another_answer_shows_the_newest_branch(connection: Connection) -> None:
    user, chat = new_id(), new_id()
    first = await store_exchange(connection, user, chat)
    await branches.activate(connection, chat, user, first.answer.id)
    second = await store_exchange(connection, user, chat, is_retry=True)
    assert second.answer.id != first.answer.id
    found = await chats.find(connection, chat, user)
    assert found is not None
    assert found.chat.active_id is None


async def test_a_question_goes_on_from_the_branch_that_is_shown(connection: Connection) -> None:
    user, chat = new_id(), new_id()
    first = await store_exchange(connection, user, chat)
    await store_exchange(connection, user, chat, is_retry=True)
    await branches.activate(connection, chat, user, first.answer.id)
    second = await store_exchange(connection, user, chat, "second")
    assert [message.id for message in second.path] == ["question", first.answer.id, "second"]


@pytest.mark.parametrize(
    ("refusal", "options"),
    [
        (Refusal.NOT_ALLOWED, {"may_answer": False}),
        (Refusal.ASKER_GONE, {"is_guest": False}),
        (Refusal.FILE_GONE, {"file_ids": ("no such file",)}),
    ],
)
async def test_what_is_refused_leaves_nothing(
    connection: Connection, refusal: Refusal, options: dict[str, object]
) -> None:
    user, chat = new_id(), new_id()
    with pytest.raises(RefusedError) as refused:
        await store_exchange(connection, user, chat, **options)
    assert refused.value.refusal is refusal
    assert await users.find(connection, user) is None
    assert await chats.find(connection, chat, user) is None


async def test_another_users_chat_stays_as_it_is(connection: Connection) -> None:
    user, chat = new_id(), new_id()
    await store_exchange(connection, user, chat)
    with pytest.raises(RefusedError) as refused:
        await store_exchange(connection, new_id(), chat, "second")
    assert refused.value.refusal is Refusal.NOT_OWN_CHAT
    assert len(await messages.path(connection, chat, user)) == 2


async def test_an_answers_id_is_no_questions(connection: Connection) -> None:
    user, chat = new_id(), new_id()
    first = await store_exchange(connection, user, chat)
    with pytest.raises(RefusedError) as refused:
        await store_exchange(connection, user, chat, first.answer.id)
    assert refused.value.refusal is Refusal.NOT_A_QUESTION
