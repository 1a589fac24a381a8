import random
from collections.abc import AsyncIterator

import pytest

from raylm_apps.gateway.store import chats, folders, matching, search, users
from raylm_apps.gateway.store.history import Shelf
from raylm_apps.gateway.store.pool import Connection, Database
from raylm_apps.gateway.store.search import Piece, pieces
from tests.apps.gateway.harness import new_id
from tests.apps.gateway.storing import store_exchange


def test_a_headline_in_pieces() -> None:
    assert pieces("a \x02b\x03 c") == [Piece("a ", False), Piece("b", True), Piece(" c", False)]
    assert pieces("\x02b\x03") == [Piece("b", True)]
    assert pieces("plain <b>") == [Piece("plain <b>", False)]
    assert pieces("") == []


def test_characters_that_match_side_by_side_are_one_piece() -> None:
    headline = "我\x1f \x1f\x02北\x03\x1f\x1f\x02京\x03\x1f!"
    assert pieces(headline) == [Piece("我 ", False), Piece("北京", True), Piece("!", False)]


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    async with database.connection() as connection:
        yield connection


async def new_chat(connection: Connection, user_id: str, title: str, *texts: str) -> str:
    chat_id = new_id()
    await users.ensure(connection, user_id, is_guest=True)
    await connection.execute(
        "insert into chats (id, user_id, title) values ($1, $2, $3)", chat_id, user_id, title
    )
    for number, text in enumerate(texts):
        await store_exchange(connection, user_id, chat_id, f"question-{number}", text)
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


async def titles(connection: Connection, user_id: str, query: str) -> list[str]:
    hits = await search.page(connection, Shelf(user_id), query, 20)
    return [hit.chat.title for hit in hits]


@pytest.mark.services
@pytest.mark.parametrize("many", [1, 500], ids=["a walk", "by index"])
async def test_titles_before_messages_and_new_before_old_through_all_pages(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(search, "MANY", many)
    user_id = new_id()
    for title in ("old message", "Old rivers", "new message", "New rivers"):
        await new_chat(connection, user_id, title, "a river" if "message" in title else "a lake")
    wanted = ["New rivers", "Old rivers", "new message", "old message"]
    assert await titles(connection, user_id, "river") == wanted
    found, shelf = list[str](), Shelf(user_id)
    while hits := await search.page(connection, shelf, "river", 1):
        found += [hit.chat.title for hit in hits]
        shelf = Shelf(user_id, older_than=hits[-1].chat)
    assert found == wanted
    hits = await search.page(connection, Shelf(user_id), "river", 10)
    for edge, newer in ((1, wanted[:1]), (3, wanted[:3])):
        shelf = Shelf(user_id, newer_than=hits[edge].chat)
        newer_hits = await search.page(connection, shelf, "river", 10)
        assert [hit.chat.title for hit in newer_hits] == newer


@pytest.mark.services
@pytest.mark.parametrize("common_rows", [-1, 1_000_000], ids=["by row", "by index"])
async def test_every_beginning_of_a_word_finds_it(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, common_rows: int
) -> None:
    """Also where its stem is shorter than what is typed: universi, univers."""
    monkeypatch.setattr(matching, "COMMON_ROWS", common_rows)
    user_id = new_id()
    words = ("hydrogen", "universities", "running", "happiness", "generalization", "Éclairs")
    for word in words:
        await new_chat(connection, user_id, word.upper() * 2, f"before {word} after")
    for word in words:
        for length in range(2, len(word) + 1):
            found = await titles(connection, user_id, word[:length])
            assert word.upper() * 2 in found, word[:length]
    assert await titles(connection, user_id, "before hydro") == ["HYDROGENHYDROGEN"]
    assert await titles(connection, user_id, "nothing or hydro") == ["HYDROGENHYDROGEN"]
    assert await titles(connection, user_id, "nothing hydro") == []


@pytest.mark.services
@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("hydro", True),
        ("hydro ", False),
        ('"hydro"', False),
        ('"heavy hydro', True),
        ('"hydro heavy', False),
        ("-hydro", True),
        ("hydro heavy", False),
        ("heavy or hydro", True),
        ("carbon-ba", True),
        ("carbon-bo", False),
        ("20", True),
        ("caf", True),
        ("CAFÉ", True),
        ("cafe\u0301", True),
        ("cafeteria", False),
        ("quoted", True),
    ],
)
@pytest.mark.parametrize("common_rows", [-1, 1_000_000], ids=["by row", "by index"])
async def test_what_is_a_beginning(
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    common_rows: int,
    query: str,
    is_found: bool,
) -> None:
    monkeypatch.setattr(matching, "COMMON_ROWS", common_rows)
    user_id = new_id()
    text = "heavy hydrogen, carbon-based, in 2026 at the café: “quoted” words"
    await new_chat(connection, user_id, "Other", text)
    assert await titles(connection, user_id, query) == (["Other"] if is_found else [])


@pytest.mark.services
@pytest.mark.parametrize(
    ("text", "found", "not_found"),
    [
        (
            "我在北京大学学习GPT模型。今天下雨",
            ("北京", "京大", "学", "GPT模型", "gpt", "下雨"),
            ("京北", "习今"),
        ),
        ("東京タワーはとても高いです", ("タワー", "東京", "高い", "です"), ("京東",)),
        ("서울대학교에서 공부한다", ("서울", "대학교", "공부"), ("학대",)),
        ("ภาษาไทยไม่มีช่องว่าง", ("ไทย", "ช่อง"), ("ไทยภาษา",)),
        ("Тёмная материя", ("тем", "матер"), ("ерия",)),
    ],
    ids=["Chinese", "Japanese", "Korean", "Thai", "Russian"],
)
async def test_other_scripts(
    connection: Connection, text: str, found: tuple[str, ...], not_found: tuple[str, ...]
) -> None:
    user_id = new_id()
    await new_chat(connection, user_id, "Other", text)
    await new_chat(connection, user_id, text, "nothing")
    for word in found:
        (by_title, hit) = await search.page(connection, Shelf(user_id), word, 10)
        assert (by_title.chat.title, by_title.snippet) == (text, None)
        assert hit.snippet is not None
        matches = "".join(piece.text for piece in hit.snippet if piece.is_match)
        assert matches.lower().startswith(word) or word in ("GPT模型", "тем", "матер")
        assert "".join(piece.text for piece in hit.snippet) in text
    for word in not_found:
        assert "Other" not in await titles(connection, user_id, word)


@pytest.mark.services
@pytest.mark.parametrize(
    "title", ["100% sure", "snake_case", r"back\slash", "it's", "a * b & c | !d"]
)
async def test_marks_in_titles_are_themselves(connection: Connection, title: str) -> None:
    user_id = new_id()
    await new_chat(connection, user_id, title, "nothing")
    await new_chat(connection, user_id, "Other", "nothing")
    for query in (
        title,
        *title.split(),
        *(mark for mark in title if not mark.isalnum() and mark != " "),
    ):
        assert title in await titles(connection, user_id, query), query
    for mark in "%_\\'*&|":
        assert await titles(connection, user_id, mark) == ([title] if mark in title else []), mark


ODD = 'ab é""\'--%_\\:*&|!()<>0½²北ก́\u3000😀\u200f\t'


@pytest.mark.services
async def test_nothing_that_is_typed_is_an_error(connection: Connection) -> None:
    user_id = new_id()
    await new_chat(connection, user_id, "Other", "a b 北 é 0")
    dice = random.Random(0)
    for _ in range(200):
        query = "".join(dice.choices([*ODD, " or "], k=dice.randrange(1, 25)))
        for hit in await search.page(connection, Shelf(user_id), query, 10):
            assert hit.chat.title == "Other", query


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
