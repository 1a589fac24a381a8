import pytest

from tests.apps.gateway.harness import User, new_id, text_of

pytestmark = pytest.mark.services


def test_an_unknown_chat_has_no_messages(ada: User) -> None:
    assert ada.http.get(f"/api/messages?chatId={new_id()}").json() == {
        "messages": [],
        "title": None,
        "visibility": "private",
        "userId": None,
        "isReadonly": False,
        "hasMore": False,
    }


def test_in_the_order_of_arrival(ada: User, chat: str) -> None:
    for text in ("one", "two", "three"):
        ada.ask(text, chat=chat)
    assert [text_of(message) for message in ada.messages(chat)] == [
        text for text in ("one", "two", "three") for _ in range(2)
    ]


def test_a_message_id_may_be_used_again_in_another_chat(ada: User, babbage: User) -> None:
    for user in (ada, babbage):
        own = new_id()
        assert user.ask("Mine", chat=own, message_id="question-1").status_code == 200
        assert len(user.messages(own)) == 2
