from collections.abc import AsyncIterator

import pytest

from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.store import chats, folders, messages, search, users
from raylm_apps.gateway.store.history import Shelf
from raylm_apps.gateway.store.migrate import migrate
from raylm_apps.gateway.store.pool import Connection, Database
from raylm_apps.gateway.store.search import Piece, pieces
from tests.apps.gateway.harness import new_id


def test_a_headline_in_pieces() -> None:
    assert pieces("a \x02b\x03 c") == [Piece("a ", False), Piece("b", True), Piece(" c", False)]
    assert pieces("\x02b\x03") == [Piece("b", True)]
    assert pieces("plain <b>") == [Piece("plain <b>", False)]
    assert pieces("") == []


@pytest.fixture
async def connection(stores: StoreUrls) -> AsyncIterator[Connection]:
    database = Database(stores.database_url)
    await database.open()
    await migrate(database)
    async with database.connection() as connection:
        yield connection
    await database.close()


async def new_chat(connection: Connection, user_id: str, title: str, *texts: str) -> str:
    chat_id = new_id()
    await users.ensure(connection, user_id, is_guest=True)
    await chats.ensure(connection, chat_id, user_id, title, "private")
    for number, text in enumerate(texts):
        parts = [{"type": "text", "text": text}]
        question = f"question-{number}"
        await messages.add_question(connection, chat_id, question, None, parts)
        await messages.add_answer(connection, chat_id, f"answer-{number}", question, "mock/echo")
    await connection.execute(
        "update messages set status = 'complete' where chat_id = $1 and role = 'assistant'",
        chat_id,
    )
    return chat_id


@pytest.mark.services
@pytest.mark.parametrize("many", [1, 500], ids=["a walk", "by index"])
async def test_both_ways_find_the_same(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(search, "MANY", many)
    user_id = new_id()
    first = await new_chat(connection, user_id, "Other", "old rivers", "new river", "a lake")
    second = await new_chat(connection, user_id, "The rivers of Europe", "a lake")
    await new_chat(connection, user_id, "Other", "a lake")
    await new_chat(connection, new_id(), "Rivers of others", "river")
    hits = await search.page(connection, Shelf(user_id), "rivers", 10)
    assert [(hit.chat.id, hit.snippet) for hit in hits] == [
        (second, None),
        (first, [Piece("new ", False), Piece("river", True)]),
    ]
    older = await search.page(connection, Shelf(user_id, older_than=hits[0].chat), "rivers", 10)
    assert [hit.chat.id for hit in older] == [first]
    assert len(await search.page(connection, Shelf(user_id), "rivers", 1)) == 1


@pytest.mark.services
async def test_a_chat_that_changes_hands_is_found_by_its_new_owner(connection: Connection) -> None:
    guest, account = new_id(), new_id()
    chat = await new_chat(connection, guest, "Other", "rivers")
    await users.ensure(connection, account, is_guest=True)
    folder = await folders.add(connection, guest, "Mine", 10)
    assert folder is not None
    await chats.update(connection, chat, guest, {"folder_id": folder.id})
    await connection.execute("update chats set user_id = $2 where id = $1", chat, account)
    (hit,) = await search.page(connection, Shelf(account), "river", 10)
    assert (hit.chat.id, hit.chat.folder_id) == (chat, None)
    assert await search.page(connection, Shelf(guest), "river", 10) == []


@pytest.mark.services
async def test_text_that_is_too_much_for_a_vector_is_stored(connection: Connection) -> None:
    user_id = new_id()
    words = " ".join(f"word{number}" for number in range(200_000))
    chat = await new_chat(connection, user_id, "Other", words)
    assert [h.chat.id for h in await search.page(connection, Shelf(user_id), "word7", 1)] == [chat]
    assert await search.page(connection, Shelf(user_id), "word199999", 1) == []
