import json

import pytest

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.accounts import make_account
from tests.apps.gateway.harness import User, new_id, parts_of, text_of

pytestmark = pytest.mark.services


def test_everything_of_one_user_is_exported(
    stores: StoreUrls, ada: User, babbage: User, chat: str
) -> None:
    babbage.ask("His secret", chat=new_id())
    for number in range(3):
        ada.ask(f"Question {number}", chat=chat, message_id="question-1")
    for _ in range(22):
        ada.ask("More", chat=new_id())
    body = {"chatId": chat, "messageId": ada.answer(chat)["id"], "type": "up"}
    ada.http.patch("/api/vote", json=body)
    ada.http.post("/api/folders", json={"name": "Rivers"})
    email = make_account(stores, ada)
    ada.http.post("/api/teams", json={"name": "Engines"})
    response = ada.http.get("/api/account/export")
    assert "attachment" in response.headers["content-disposition"]
    told = json.loads(response.content)
    assert [user["email"] for user in told["users"]] == [email]
    assert [folder["name"] for folder in told["folders"]] == ["Rivers"]
    assert [team["name"] for team in told["teams"]] == ["Engines"]
    assert told["usage"][0]["requests"] == 25
    assert len(told["chats"]) == 23
    forked = next(one for one in told["chats"] if one["id"] == chat)
    questions = [text_of(one) for one in forked["messages"] if one["role"] == "user"]
    assert questions == ["Question 0", "Question 1", "Question 2"]
    assert len(forked["votes"]) == 1
    assert "His secret" not in response.text


def test_nothing_is_left_of_a_deleted_account(
    stores: StoreUrls, ada: User, babbage: User, chat: str
) -> None:
    make_account(stores, ada)
    ada.http.post("/api/folders", json={"name": "Rivers"})
    ada.http.post("/api/teams", json={"name": "Engines"})
    babbage.ask("Stay", chat=(his := new_id()))
    cookie = ada.cookie
    with ada.asking("go on and on", chat=chat, model="mock/slow") as stream:
        stream.read_until(b"text-delta")
        assert ada.http.delete("/api/account").json() == {"success": True}
        assert parts_of(stream.rest())[-1]["type"] == "abort"
    assert ada.http.get("/api/history").status_code == 401
    headers = {"cookie": cookie}
    told = ada.http.get("/api/account/export", headers=headers)
    if told.status_code == 200:
        assert all(rows == [] for rows in told.json().values())
    resumed = ada.http.get(f"/api/chat/{chat}/stream?offset=1", headers=headers)
    assert resumed.status_code in (401, 404)
    assert len(babbage.messages(his)) == 2
