"""One user's chat, asked for by another on every route: a new route must say what it does."""

import pytest

from raylm_apps.gateway.main import create_app
from raylm_apps.gateway.settings import Settings
from tests.apps.gateway.harness import User, text_of

# What a stranger's request for {chat}, a private chat, is answered with.
FORBIDDEN = {
    ("DELETE", "/api/chat"): "?id={chat}",
    ("GET", "/api/chat/{chat_id}/stream"): "/api/chat/{chat}/stream",
    ("PATCH", "/api/chat/{chat_id}"): "/api/chat/{chat}",
    ("POST", "/api/chat/{chat_id}/stop"): "/api/chat/{chat}/stop",
    ("GET", "/api/messages"): "?chatId={chat}",
}
READ_WHEN_PUBLIC = {("GET", "/api/chat/{chat_id}/stream"), ("GET", "/api/messages")}
# Routes that answer only about the user who asks, tested below, or about nobody.
OWN = {("POST", "/api/chat"), ("GET", "/api/history"), ("DELETE", "/api/history")}
# Documents have their own test beside their route.
DOCUMENTS = {
    ("GET", "/api/document"),
    ("POST", "/api/document"),
    ("DELETE", "/api/document"),
    ("GET", "/api/document/diff"),
    ("GET", "/api/suggestions"),
    ("PATCH", "/api/suggestions/{suggestion_id}"),
}
# Files, whose ids are not a chat's: tests/apps/gateway/routes/test_files.py.
FILES = {
    ("POST", "/api/files/upload"),
    ("GET", "/api/files/{file_id}"),
    ("DELETE", "/api/files/{file_id}"),
}
NOBODYS = {
    ("GET", "/api/auth/session"),
    ("POST", "/api/auth/guest"),
    ("GET", "/api/auth/guest"),
    ("GET", "/api/models"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
}


def request(user: User, method: str, route: str, chat: str) -> tuple[int, str]:
    target = FORBIDDEN[method, route].format(chat=chat)
    url = route + target if target.startswith("?") else target
    body = {"title": "Stolen", "visibility": "public"} if method == "PATCH" else None
    response = user.http.request(method, url, json=body)
    code = response.json().get("code", "") if response.content else ""
    return response.status_code, code


def test_the_matrix_covers_every_route() -> None:
    document = create_app(Settings()).openapi()
    routes = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert routes == FORBIDDEN.keys() | OWN | DOCUMENTS | FILES | NOBODYS


@pytest.mark.services
@pytest.mark.parametrize(("method", "route"), FORBIDDEN)
def test_a_private_chat_is_its_owners(
    ada: User, babbage: User, chat: str, method: str, route: str
) -> None:
    ada.ask("For my eyes only", chat=chat)
    assert request(babbage, method, route, chat) == (403, "forbidden:chat")
    assert [text_of(message) for message in ada.messages(chat)] == ["For my eyes only"] * 2


@pytest.mark.services
@pytest.mark.parametrize(("method", "route"), FORBIDDEN)
def test_a_public_chat_can_only_be_read(
    ada: User, babbage: User, chat: str, method: str, route: str
) -> None:
    ada.ask("For all to see", chat=chat)
    ada.http.patch(f"/api/chat/{chat}", json={"visibility": "public"})
    status, code = request(babbage, method, route, chat)
    if (method, route) in READ_WHEN_PUBLIC:
        assert status in (200, 204)
    else:
        assert (status, code) == (403, "forbidden:chat")
    assert len(ada.messages(chat)) == 2


@pytest.mark.services
@pytest.mark.parametrize("visibility", ["private", "public"])
def test_nobody_writes_into_anothers_chat(
    ada: User, babbage: User, chat: str, visibility: str
) -> None:
    ada.ask("Mine", chat=chat, message_id="question-1")
    ada.http.patch(f"/api/chat/{chat}", json={"visibility": visibility})
    for text, trigger in (("Mine", "submit-message"), ("Mine", "regenerate-message")):
        refused = babbage.ask(text, chat=chat, message_id="question-1", trigger=trigger)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden:chat")
    assert len(ada.messages(chat)) == 2


@pytest.mark.services
def test_a_history_has_its_owners_chats_alone(ada: User, babbage: User, chat: str) -> None:
    ada.ask("Mine", chat=chat)
    assert babbage.http.get("/api/history").json()["chats"] == []
    assert babbage.http.get(f"/api/history?ending_before={chat}").status_code == 404
    assert babbage.http.delete("/api/history").json() == {"deletedCount": 0}
    assert len(ada.messages(chat)) == 2
