import concurrent.futures

import pytest

from tests.apps.gateway.harness import User, eventually, new_id, parts_of, text_of

pytestmark = pytest.mark.services


def test_an_empty_body_is_refused(ada: User) -> None:
    response = ada.http.post("/api/chat", json={})
    assert response.status_code == 400
    assert response.json()["code"] == "bad_request:api"
    assert response.json()["cause"] == "id: Field required"


def test_an_answer_streams_the_parts_of_the_protocol(ada: User, chat: str) -> None:
    response = ada.ask("Why is the sky blue?", chat=chat)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert response.content.endswith(b"data: [DONE]\n\n")
    parts = parts_of(response.content)
    kinds = [part["type"] for part in parts if not part["type"].startswith("data-")]
    deltas = ["text-delta"] * 5
    assert kinds == [
        "start",
        "start-step",
        "text-start",
        *deltas,
        "text-end",
        "finish-step",
        "finish",
    ]
    assert "".join(part.get("delta", "") for part in parts) == "Why is the sky blue?"
    assert parts[0]["messageMetadata"]["status"] == "streaming"
    assert parts[-1]["messageMetadata"]["status"] == "complete"


def test_question_and_answer_are_stored(ada: User, chat: str) -> None:
    started = parts_of(ada.ask("Remember me.", chat=chat, message_id="question-1").content)[0]
    question, answer = ada.messages(chat)
    assert (question["id"], text_of(question)) == ("question-1", "Remember me.")
    assert (answer["id"], text_of(answer)) == (started["messageId"], "Remember me.")
    assert answer["metadata"]["status"] == "complete"
    assert answer["metadata"]["model"] == "mock/echo"


def test_a_stored_question_precedes_the_first_token(ada: User, chat: str) -> None:
    with ada.asking("Still there?", chat=chat, model="mock/silent") as stream:
        stream.read_until(b"start-step")
        question, answer = ada.messages(chat)
        assert text_of(question) == "Still there?"
        assert (answer["parts"], answer["metadata"]["status"]) == ([], "streaming")
        ada.http.post(f"/api/chat/{chat}/stop")


def test_the_first_question_gives_the_title(ada: User, chat: str) -> None:
    first = parts_of(ada.ask("Name three rivers. Then sort them.", chat=chat).content)
    second = parts_of(ada.ask("And three lakes.", chat=chat).content)
    titles = [part for part in first if part["type"] == "data-chat-title"]
    assert titles == [{"type": "data-chat-title", "data": "Name three rivers.", "transient": True}]
    assert not [part for part in second if part["type"] == "data-chat-title"]


def test_reasoning_comes_in_its_own_part(ada: User, chat: str) -> None:
    ada.ask("Two words", chat=chat, model="mock/reasoning")
    kinds = [part["type"] for part in ada.answer(chat)["parts"]]
    assert kinds == ["step-start", "reasoning", "text"]


def test_a_failing_model_keeps_what_it_said(ada: User, chat: str) -> None:
    parts = parts_of(ada.ask("one two three four five six", chat=chat, model="mock/flaky").content)
    assert parts[-1]["type"] == "error"
    answer = ada.answer(chat)
    assert text_of(answer) == "one two three four five "
    assert answer["metadata"]["status"] == "error"
    assert answer["metadata"]["error"] == parts[-1]["errorText"]


def test_the_body_of_a_stock_client(ada: User, chat: str) -> None:
    question = {"id": new_id(), "role": "user", "parts": [{"type": "text", "text": "Hello"}]}
    body = {
        "id": chat,
        "messages": [question],
        "trigger": "submit-message",
        "selectedChatModel": "mock/echo",
    }
    assert ada.http.post("/api/chat", json=body).status_code == 200
    assert text_of(ada.answer(chat)) == "Hello"


def test_posting_a_question_twice_makes_one_answer(ada: User, chat: str) -> None:
    first = ada.ask("Once only", chat=chat, message_id="question-1")
    again = ada.ask("Once only", chat=chat, message_id="question-1")
    assert len(ada.messages(chat)) == 2
    ids = [parts_of(response.content)[0]["messageId"] for response in (first, again)]
    assert ids[0] == ids[1]
    assert "".join(part.get("delta", "") for part in parts_of(again.content)) == "Once only"


def test_ten_identical_posts_at_once_follow_one_answer(ada: User, chat: str) -> None:
    with concurrent.futures.ThreadPoolExecutor(10) as threads:
        posts = [
            threads.submit(ada.ask, "All together", chat=chat, message_id="question-1")
            for _ in range(10)
        ]
        bodies = [post.result().content for post in posts]
    assert len(ada.messages(chat)) == 2
    assert len({parts_of(body)[0]["messageId"] for body in bodies}) == 1
    for body in bodies:
        text = "".join(part.get("delta", "") for part in parts_of(body))
        assert text == "All together"


def test_an_edited_question_starts_a_new_branch(ada: User, chat: str) -> None:
    ada.ask("First", chat=chat)
    ada.ask("Secnod", chat=chat, message_id="question-2")
    ada.ask("Second", chat=chat, message_id="question-2")
    assert [text_of(message) for message in ada.messages(chat)] == [
        "First",
        "First",
        "Second",
        "Second",
    ]


def test_a_regenerated_answer_takes_the_place_of_the_old(ada: User, chat: str) -> None:
    ada.ask("Again", chat=chat, message_id="question-1")
    old = ada.answer(chat)
    ada.ask("Again", chat=chat, message_id="question-1", trigger="regenerate-message")
    question, new = ada.messages(chat)
    assert question["id"] == "question-1"
    assert new["id"] != old["id"]


def test_closing_the_connection_stops_nothing(ada: User, chat: str) -> None:
    with ada.asking("go on without me", chat=chat, model="mock/slow") as stream:
        stream.read_until(b"text-delta")
    before = len(text_of(ada.answer(chat)))
    eventually(lambda: len(text_of(ada.answer(chat))) > before + 20)
    assert ada.answer(chat)["metadata"]["status"] == "streaming"
    ada.http.post(f"/api/chat/{chat}/stop")


@pytest.mark.parametrize(
    ("change", "status", "code", "cause"),
    [
        ({"model": "mock/ecko"}, 400, "bad_request:api", "did you mean 'mock/echo'?"),
        ({"model": "nobody/nothing"}, 400, "bad_request:api", "unknown model"),
        ({"text": "x" * 8_001}, 400, "bad_request:api", "8001 characters; at most 8000"),
        ({"text": "   "}, 400, "bad_request:api", "no text"),
        ({"chat": "no"}, 400, "bad_request:api", "id: String should match"),
        ({"chat": "../../etc/passwd"}, 400, "bad_request:api", "id: String should match"),
        ({"message": None}, 400, "bad_request:api", "must have a user's message"),
        ({"text": "x" * 1_000_001}, 413, "too_large:api", "1000000 bytes"),
    ],
)
def test_what_is_refused(
    ada: User, chat: str, change: dict[str, str], status: int, code: str, cause: str
) -> None:
    asked = {"text": "Hi", "chat": chat, **change}
    response = ada.ask(**asked)
    assert response.status_code == status
    assert response.json()["code"] == code
    assert cause in response.json()["cause"]
    assert ada.messages(chat) == []


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{not json", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"id": "\\ud800xxxxxxx"}', "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"a=b", "application/x-www-form-urlencoded", 415),
    ],
)
def test_bodies_that_are_not_json(
    ada: User, content: bytes, content_type: str, status: int
) -> None:
    response = ada.http.post("/api/chat", content=content, headers={"content-type": content_type})
    assert response.status_code == status
    assert set(response.json()) == {"code", "message", "cause"}


def test_a_body_without_a_length_is_counted(ada: User) -> None:
    response = ada.http.post(
        "/api/chat",
        content=(b" " * 100_000 for _ in range(11)),
        headers={"content-type": "application/json"},
    )
    assert response.status_code == 413
    assert response.json()["code"] == "too_large:api"


def test_a_nul_character_is_dropped(ada: User, chat: str) -> None:
    assert ada.ask("a\x00b", chat=chat).status_code == 200
    assert text_of(ada.answer(chat)) == "ab"


def test_no_session_no_chat(ada: User, chat: str) -> None:
    response = ada.http.post(
        "/api/chat", json=ada.body("Hi", chat=chat), headers={"cookie": "raylm_session=forged.one"}
    )
    assert response.status_code == 401
    assert response.json()["code"] == "unauthorized:chat"


def test_a_chat_is_renamed_and_shared(ada: User, babbage: User, chat: str) -> None:
    ada.ask("Hi", chat=chat)
    changed = ada.http.patch(f"/api/chat/{chat}", json={"title": "  Rivers  "}).json()
    assert (changed["title"], changed["visibility"]) == ("Rivers", "private")
    ada.http.patch(f"/api/chat/{chat}", json={"visibility": "public"})
    shared = babbage.http.get(f"/api/messages?chatId={chat}").json()
    assert (shared["title"], shared["isReadonly"]) == ("Rivers", True)
    assert ada.http.patch(f"/api/chat/{chat}", json={"title": " "}).status_code == 400


def test_a_deleted_chat_is_gone_with_what_was_being_written(ada: User, chat: str) -> None:
    with ada.asking("never mind", chat=chat, model="mock/slow") as stream:
        stream.read_until(b"text-delta")
        deleted = ada.http.delete(f"/api/chat?id={chat}")
        assert deleted.status_code == 200
        assert deleted.json()["id"] == chat
        assert parts_of(stream.rest())[-1]["type"] == "abort"
    assert ada.messages(chat) == []
    assert ada.http.delete(f"/api/chat?id={chat}").status_code == 404
    assert ada.http.delete("/api/chat").status_code == 400


def test_too_many_answers_at_once_are_refused(ada: User) -> None:
    chats = [new_id() for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        running = [threads.submit(ada.ask, "wait", chat=c, model="mock/silent") for c in chats]
        eventually(lambda: all(ada.messages(c) for c in chats))
        refused = ada.ask("one more", chat=new_id())
        for c in chats:
            ada.http.post(f"/api/chat/{c}/stop")
        for post in running:
            post.result()
    assert refused.status_code == 429
    assert refused.json()["code"] == "rate_limit:chat"
