"""What a model draws, cites and thinks, in the chat and after it."""

import pytest

from raylm_apps.gateway.providers.mock import DOT
from tests.apps.gateway.harness import User, parts_of, text_of

pytestmark = pytest.mark.services
MODEL = "mock/picture"


def test_a_picture_is_a_file_of_the_answer(ada: User, babbage: User, chat: str) -> None:
    streamed = parts_of(ada.ask("A dot, please.", chat=chat, model=MODEL).content)
    answer = ada.answer(chat)
    assert [part["type"] for part in answer["parts"]] == [
        *("step-start", "reasoning", "text", "source-url", "file"),
    ]
    (picture,) = [part for part in answer["parts"] if part["type"] == "file"]
    assert picture in streamed
    assert picture.keys() == {"type", "mediaType", "url"}
    found = ada.http.get(picture["url"])
    assert (found.content, found.headers["content-type"]) == (DOT, "image/png")
    assert babbage.http.get(picture["url"]).status_code == 404
    ada.http.patch(f"/api/chat/{chat}", json={"visibility": "public"})
    assert babbage.http.get(picture["url"]).content == DOT


def test_thoughts_come_back_to_their_model(ada: User, chat: str) -> None:
    for _ in range(3):
        ada.ask("A dot, please.", chat=chat, model=MODEL)
    answers = [message for message in ada.messages(chat) if message["role"] == "assistant"]
    assert [text_of(answer) for answer in answers] == [
        "I remember nothing.",
        "I remember thought 0.",
        "I remember thought 0, thought 1.",
    ]
    thought = answers[1]["parts"][1]
    assert (thought["type"], thought["text"]) == ("reasoning", "I think of a dot.")
    assert thought["providerMetadata"]["mock"] == {"signature": "thought 1"}


def test_an_answer_streams_again_as_it_was(ada: User, chat: str) -> None:
    body = ada.body("A dot, please.", chat=chat, model=MODEL)
    streamed = parts_of(ada.http.post("/api/chat", json=body).content)
    again = parts_of(ada.http.post("/api/chat", json=body).content)
    for kind in ("reasoning-end", "source-url", "file"):
        first, second = ([p for p in parts if p["type"] == kind] for parts in (streamed, again))
        assert first == second != []
