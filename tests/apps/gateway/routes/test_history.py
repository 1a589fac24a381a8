from typing import Any

import pytest

from tests.apps.gateway.harness import User, new_id

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
    assert set(newest) == {"id", "title", "visibility", "userId", "createdAt", "updatedAt"}
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
