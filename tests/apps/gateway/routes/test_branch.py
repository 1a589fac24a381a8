import pytest

from tests.apps.gateway.harness import User, new_id, parts_of, text_of

pytestmark = pytest.mark.services


def texts(user: User, chat: str, query: str = "") -> list[str]:
    url = f"/api/messages?chatId={chat}{query}"
    return [text_of(message) for message in user.http.get(url).json()["messages"]]


@pytest.fixture
def forked(ada: User, chat: str) -> str:
    """Three, whose second question was edited: the branch with the old one has an answer more."""
    ada.ask("One", chat=chat, message_id="question-1")
    ada.ask("Two", chat=chat, message_id="question-2")
    ada.ask("Three", chat=chat, message_id="question-3")
    ada.ask("Two again", chat=chat, message_id="question-2")
    return chat


def siblings(user: User, chat: str, place: int, query: str = "") -> tuple[list[str], int]:
    url = f"/api/messages?chatId={chat}{query}"
    metadata = user.http.get(url).json()["messages"][place]["metadata"]
    return metadata["siblings"], metadata["siblingIndex"]


def test_a_message_knows_its_siblings(ada: User, forked: str) -> None:
    assert texts(ada, forked) == ["One", "One", "Two again", "Two again"]
    ids, index = siblings(ada, forked, 2)
    assert (len(ids), ids[1], index) == (2, "question-2", 1)
    assert "siblings" not in ada.messages(forked)[0]["metadata"]
    old = f"&leaf={ids[0]}"
    assert texts(ada, forked, old) == ["One", "One", "Two", "Two", "Three", "Three"]
    assert siblings(ada, forked, 2, old) == (ids, 0)


def test_a_regenerated_answer_has_a_sibling(ada: User, chat: str) -> None:
    ada.ask("Again", chat=chat, message_id="question-1")
    first = ada.answer(chat)["id"]
    ada.ask("Again", chat=chat, message_id="question-1", trigger="regenerate-message")
    assert siblings(ada, chat, 1) == ([first, ada.answer(chat)["id"]], 1)


def test_another_branch_is_made_the_active_one_and_continued(ada: User, forked: str) -> None:
    (old, _), _ = siblings(ada, forked, 2)
    chosen = ada.http.post(f"/api/chat/{forked}/branch", json={"messageId": old})
    assert chosen.status_code == 200
    before = texts(ada, forked)
    assert before == ["One", "One", "Two", "Two", "Three", "Three"]
    assert chosen.json()["leafId"] == ada.answer(forked)["id"]
    ada.ask("Four", chat=forked)
    assert texts(ada, forked) == [*before, "Four", "Four"]
    ada.ask("Again", chat=forked, message_id="question-3")
    assert texts(ada, forked) == [*before[:4], "Again", "Again"]


def test_a_chat_is_deleted_whatever_branch_is_active(ada: User, forked: str) -> None:
    (old, _), _ = siblings(ada, forked, 2)
    ada.http.post(f"/api/chat/{forked}/branch", json={"messageId": old})
    assert ada.http.delete(f"/api/chat?id={forked}").status_code == 200
    assert ada.messages(forked) == []


@pytest.mark.parametrize("message", ["question-9", "no such", ""])
def test_a_branch_needs_a_message(ada: User, forked: str, message: str) -> None:
    status = 404 if message == "question-9" else 400
    body = {"messageId": message}
    assert ada.http.post(f"/api/chat/{forked}/branch", json=body).status_code == status
    assert ada.http.get(f"/api/messages?chatId={forked}&leaf={message}").status_code == status


def test_long_chats_come_in_pages(ada: User, babbage: User, chat: str) -> None:
    for number in range(3):
        ada.ask(f"Q{number}", chat=chat)
    ada.http.patch(f"/api/chat/{chat}", json={"visibility": "public"})
    for user in (ada, babbage):
        pages, query, more = [], "", True
        while more:
            page = user.http.get(f"/api/messages?chatId={chat}&limit=4{query}").json()
            pages.append([text_of(message) for message in page["messages"]])
            more, query = page["hasMore"], f"&before={page['messages'][0]['id']}"
        assert pages == [["Q1", "Q1", "Q2", "Q2"], ["Q0", "Q0"]]
        assert user.http.get(f"/api/messages?chatId={chat}{query}").json()["messages"] == []
        unknown = user.http.get(f"/api/messages?chatId={chat}&before=unknown-1")
        assert unknown.json()["code"] == "not_found:message"


def test_readers_see_no_other_branch(ada: User, babbage: User, forked: str) -> None:
    (old, _), _ = siblings(ada, forked, 2)
    ada.http.patch(f"/api/chat/{forked}", json={"visibility": "public"})
    shown = babbage.http.get(f"/api/messages?chatId={forked}")
    assert "Three" not in shown.text
    assert "siblings" not in shown.text
    for query in (f"leaf={old}", "before=question-3"):
        response = babbage.http.get(f"/api/messages?chatId={forked}&{query}")
        assert response.status_code in (403, 404)


def test_truncating_takes_what_came_after(ada: User, forked: str) -> None:
    (old, _), _ = siblings(ada, forked, 2)
    answer = ada.http.get(f"/api/messages?chatId={forked}&leaf={old}").json()["messages"][3]["id"]
    body = {"chatId": forked, "messageId": answer, "type": "up"}
    ada.http.patch("/api/vote", json=body)
    cut = ada.http.post(f"/api/messages/{old}/truncate?chatId={forked}").json()
    assert len(cut["deletedIds"]) == 4
    assert ada.http.get(f"/api/vote?chatId={forked}").json() == []
    assert texts(ada, forked) == ["One", "One", "Two again", "Two again"]
    assert "siblings" not in ada.messages(forked)[2]["metadata"]
    ada.http.post(f"/api/messages/question-1/truncate?chatId={forked}")
    assert texts(ada, forked) == []
    assert ada.ask("Anew", chat=forked).status_code == 200


def test_truncating_stays_on_its_branch(ada: User, forked: str) -> None:
    (old, _), _ = siblings(ada, forked, 2)
    ada.http.post(f"/api/chat/{forked}/branch", json={"messageId": old})
    ada.http.post(f"/api/messages/question-3/truncate?chatId={forked}")
    assert texts(ada, forked) == ["One", "One", "Two", "Two"]


def test_a_deleted_message_leaves_what_follows(ada: User, chat: str) -> None:
    ada.ask("One", chat=chat)
    ada.ask("Two", chat=chat)
    second = ada.messages(chat)[1]["id"]
    deleted = ada.http.delete(f"/api/messages/{second}?chatId={chat}").json()
    assert deleted == {"deletedIds": [second]}
    assert texts(ada, chat) == ["One", "Two", "Two"]
    assert ada.http.delete(f"/api/messages/{second}?chatId={chat}").status_code == 404


def test_what_is_being_written_is_stopped_first(ada: User, chat: str) -> None:
    with ada.asking("go on", chat=chat, model="mock/slow", message_id="question-1") as stream:
        stream.read_until(b"text-delta")
        assert ada.http.post(f"/api/messages/question-1/truncate?chatId={chat}").status_code == 200
        assert parts_of(stream.rest())[-1]["type"] == "abort"
    assert ada.messages(chat) == []


def test_a_message_without_its_chat_must_be_unambiguous(
    ada: User, babbage: User, chat: str
) -> None:
    other = new_id()
    babbage.ask("His", chat=(his := new_id()), message_id="question-1")
    ada.ask("One", chat=chat, message_id="question-1")
    ada.ask("Two", chat=other, message_id="question-1")
    refused = ada.http.delete("/api/messages/question-1")
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request:message")
    assert ada.http.delete(f"/api/messages/question-1?chatId={other}").status_code == 200
    assert ada.http.delete("/api/messages/question-1").status_code == 200
    assert ada.http.delete("/api/messages/question-1").status_code == 404
    assert len(babbage.messages(his)) == 2
