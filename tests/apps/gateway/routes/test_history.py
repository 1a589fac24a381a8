from typing import Any

import pytest

from tests.apps.gateway.harness import User, new_id, text_of

pytestmark = pytest.mark.services


def page(user: User, query: str = "") -> dict[str, Any]:
    return user.http.get(f"/api/history{query}").json()


def ids(history: dict[str, Any]) -> list[str]:
    return [chat["id"] for chat in history["chats"]]


@pytest.fixture
def chats(ada: User) -> list[str]:
    """Five, the newest first."""
    made = [new_id() for _ in range(5)]
    for number, chat in enumerate(made):
        ada.ask(f"Question {number}", chat=chat)
    return made[::-1]


def test_newest_first(ada: User, chats: list[str]) -> None:
    history = page(ada)
    assert ids(history) == chats
    assert history["hasMore"] is False
    newest = history["chats"][0]
    assert set(newest) == {
        *("id", "title", "visibility", "userId", "createdAt", "updatedAt"),
        *("folderId", "teamId", "archivedAt", "snippet"),
    }
    assert (newest["title"], newest["userId"]) == ("Question 4", ada.id)


def test_pages_meet_without_gap_or_overlap(ada: User, chats: list[str]) -> None:
    first = page(ada, "?limit=2")
    second = page(ada, f"?limit=2&ending_before={ids(first)[-1]}")
    third = page(ada, f"?limit=2&ending_before={ids(second)[-1]}")
    assert ids(first) + ids(second) + ids(third) == chats
    assert [history["hasMore"] for history in (first, second, third)] == [True, True, False]
    assert ids(page(ada, f"?starting_after={chats[2]}")) == chats[:2]


def test_deleting_all_leaves_other_users_alone(ada: User, babbage: User, chats: list[str]) -> None:
    babbage.ask("Mine", chat=(his := new_id()))
    assert ada.http.delete("/api/history").json() == {"deletedCount": 5}
    assert ids(page(ada)) == []
    assert ids(page(babbage)) == [his]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("?limit=0", 400, "bad_request:api"),
        ("?limit=101", 400, "bad_request:api"),
        ("?limit=many", 400, "bad_request:api"),
        ("?starting_after=aaaaaaaa&ending_before=bbbbbbbb", 400, "bad_request:api"),
        ("?ending_before=aaaaaaaa", 404, "not_found:history"),
    ],
)
def test_what_is_refused(ada: User, query: str, status: int, code: str) -> None:
    response = ada.http.get(f"/api/history{query}")
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_where_an_answer_is_being_written(ada: User, babbage: User, chat: str) -> None:
    ada.ask("Done already", chat=new_id())
    with ada.asking("red green", chat=chat) as stream:
        stream.read_until(b"text-delta")
        assert ada.http.get("/api/history/answering").json() == {"chatIds": [chat]}
        assert babbage.http.get("/api/history/answering").json() == {"chatIds": []}
        ada.http.post(f"/api/chat/{chat}/stop")
    assert ada.http.get("/api/history/answering").json() == {"chatIds": []}


def test_words_of_messages_and_parts_of_titles(ada: User, babbage: User) -> None:
    rhine, alps, ocean = new_id(), new_id(), new_id()
    babbage.ask("The Rhine is his.", chat=new_id())
    ada.ask("Which <b>rivers</b> & lakes are long?", chat=rhine)
    ada.ask("To be or not to be in the Alps", chat=alps)
    ada.ask("Salt water", chat=ocean)
    ada.http.patch(f"/api/chat/{ocean}", json={"title": "100% Oceanography"})
    assert ids(page(ada, "?q=river")) == [rhine]
    assert ids(page(ada, "?q=rhine")) == []
    assert ids(page(ada, "?q=the alps")) == [alps]
    assert ids(page(ada, '?q="not to be"')) == [alps]
    assert ids(page(ada, "?q=cean")) == [ocean]
    assert ids(page(ada, "?q=100%25")) == [ocean]
    assert ids(page(ada, "?q=%25")) == [ocean]
    assert ids(page(ada, "?q=water -salt")) == []
    assert ids(page(ada, "?q=long OR salt")) == [rhine, ocean]
    assert ids(page(ada, "?q=%00")) == [ocean, alps, rhine]
    (hit,) = page(ada, "?q=river")["chats"]
    assert [(piece["text"], piece["isMatch"]) for piece in hit["snippet"]] == [
        ("Which  ", False),
        ("rivers", True),
        ("  & lakes are long?", False),
    ]
    assert page(ada, "?q=cean")["chats"][0]["snippet"] is None


def test_a_search_has_pages_folders_and_an_archive(ada: User, chats: list[str]) -> None:
    first = page(ada, "?q=question&limit=2")
    second = page(ada, f"?q=question&limit=2&ending_before={ids(first)[-1]}")
    assert (ids(first), first["hasMore"]) == (chats[:2], True)
    assert ids(second) == chats[2:4]
    folder = ada.http.post("/api/folders", json={"name": "One"}).json()["id"]
    ada.http.patch(f"/api/chat/{chats[1]}", json={"folderId": folder})
    ada.http.patch(f"/api/chat/{chats[3]}", json={"archived": True})
    assert ids(page(ada, f"?q=question&folder={folder}")) == [chats[1]]
    assert ids(page(ada, "?q=question&archived=true")) == [chats[3]]
    assert ids(page(ada, "?q=question&folder=none")) == [chats[0], chats[2], chats[4]]


def test_an_answer_is_found_once_it_has_ended(ada: User) -> None:
    with ada.asking("go on", chat=(chat := new_id()), model="mock/slow") as stream:
        stream.read_until(b"text-delta", 3)
        ada.http.post(f"/api/chat/{chat}/stop")
    said = text_of(ada.answer(chat)).split()[0]
    assert ids(page(ada, f'?q="{said}"')) == [chat]
    ada.http.delete(f"/api/chat?id={chat}")
    assert ids(page(ada, f'?q="{said}"')) == []
