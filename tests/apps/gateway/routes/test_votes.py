import pytest

from tests.apps.gateway.harness import User, new_id

pytestmark = pytest.mark.services


def vote(user: User, chat: str, message: str, kind: str) -> tuple[int, str]:
    body = {"chatId": chat, "messageId": message, "type": kind}
    response = user.http.patch("/api/vote", json=body)
    return response.status_code, response.text


def test_the_last_vote_counts(ada: User, chat: str) -> None:
    ada.ask("Hi", chat=chat)
    answer = ada.answer(chat)["id"]
    assert ada.http.get(f"/api/vote?chatId={chat}").json() == []
    for kind in ("up", "down"):
        assert vote(ada, chat, answer, kind) == (200, "Message voted")
    expected = {"chatId": chat, "messageId": answer, "isUpvoted": False}
    assert ada.http.get(f"/api/vote?chatId={chat}").json() == [expected]


def test_only_answers_that_exist(ada: User, chat: str) -> None:
    ada.ask("Hi", chat=chat, message_id="question-1")
    for message in ("question-1", new_id()):
        status, text = vote(ada, chat, message, "up")
        assert (status, "not_found:message" in text) == (404, True)
    assert vote(ada, chat, ada.answer(chat)["id"], "sideways")[0] == 400
    assert ada.http.get(f"/api/vote?chatId={new_id()}").json()["code"] == "not_found:chat"
    assert ada.http.get("/api/vote").status_code == 400


def test_a_reader_of_a_public_chat_does_not_vote(ada: User, babbage: User, chat: str) -> None:
    ada.ask("Hi", chat=chat)
    ada.http.patch(f"/api/chat/{chat}", json={"visibility": "public"})
    status, text = vote(babbage, chat, ada.answer(chat)["id"], "down")
    assert (status, "forbidden:vote" in text) == (403, True)
    assert babbage.http.get(f"/api/vote?chatId={chat}").json()["code"] == "forbidden:vote"
    assert ada.http.get(f"/api/vote?chatId={chat}").json() == []
