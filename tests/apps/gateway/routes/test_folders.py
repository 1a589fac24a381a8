from typing import Any

import pytest

from tests.apps.gateway.harness import User, new_id

pytestmark = pytest.mark.services


@pytest.fixture
def folder(ada: User) -> dict[str, Any]:
    response = ada.http.post("/api/folders", json={"name": " Rivers "})
    assert response.status_code == 201
    return response.json()


def listed(user: User, query: str) -> list[str]:
    return [chat["id"] for chat in user.http.get(f"/api/history{query}").json()["chats"]]


def test_made_renamed_and_listed_by_name(ada: User, folder: dict[str, Any]) -> None:
    assert folder["name"] == "Rivers"
    lakes = ada.http.post("/api/folders", json={"name": "Lakes"}).json()
    renamed = ada.http.patch(f"/api/folders/{lakes['id']}", json={"name": "Seas"}).json()
    assert renamed["name"] == "Seas"
    names = [one["name"] for one in ada.http.get("/api/folders").json()["folders"]]
    assert names == ["Rivers", "Seas"]


def test_chats_go_in_and_out(ada: User, chat: str, folder: dict[str, Any]) -> None:
    other = new_id()
    ada.ask("The Rhine", chat=chat)
    ada.ask("The Alps", chat=other)
    moved = ada.http.patch(f"/api/chat/{chat}", json={"folderId": folder["id"]}).json()
    assert moved["folderId"] == folder["id"]
    assert listed(ada, f"?folder={folder['id']}") == [chat]
    assert listed(ada, "?folder=none") == [other]
    assert listed(ada, "") == [other, chat]
    renamed = ada.http.patch(f"/api/chat/{chat}", json={"title": "Still inside"}).json()
    assert renamed["folderId"] == folder["id"]
    assert ada.http.patch(f"/api/chat/{chat}", json={"folderId": None}).json()["folderId"] is None
    assert listed(ada, f"?folder={folder['id']}") == []


def test_a_deleted_folder_leaves_its_chats(ada: User, chat: str, folder: dict[str, Any]) -> None:
    ada.ask("The Rhine", chat=chat)
    ada.http.patch(f"/api/chat/{chat}", json={"folderId": folder["id"]})
    assert ada.http.delete(f"/api/folders/{folder['id']}").json()["id"] == folder["id"]
    assert ada.http.get("/api/folders").json() == {"folders": []}
    assert listed(ada, "?folder=none") == [chat]
    assert ada.http.delete(f"/api/folders/{folder['id']}").status_code == 404


def test_an_archived_chat_is_listed_apart(ada: User, chat: str) -> None:
    ada.ask("The Rhine", chat=chat)
    archived = ada.http.patch(f"/api/chat/{chat}", json={"archived": True}).json()["archivedAt"]
    assert archived is not None
    assert (listed(ada, ""), listed(ada, "?archived=true")) == ([], [chat])
    again = ada.http.patch(f"/api/chat/{chat}", json={"archived": True}).json()["archivedAt"]
    assert again == archived
    assert (
        ada.http.patch(f"/api/chat/{chat}", json={"archived": False}).json()["archivedAt"] is None
    )
    assert listed(ada, "") == [chat]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "bad_request:api"),
        ({"name": "  "}, 400, "bad_request:api"),
        ({"name": "x" * 201}, 400, "bad_request:api"),
        ({"name": "\x00"}, 400, "bad_request:api"),
    ],
)
def test_what_is_refused(ada: User, body: dict[str, str], status: int, code: str) -> None:
    response = ada.http.post("/api/folders", json=body)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_a_folder_that_is_none_takes_no_chat(ada: User, chat: str) -> None:
    ada.ask("The Rhine", chat=chat)
    refused = ada.http.patch(f"/api/chat/{chat}", json={"folderId": new_id()})
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found:folder")
