from datetime import UTC, datetime
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm_apps.gateway.conversation import (
    CHARS_PER_TOKEN,
    TITLE_CHARS,
    prompt_turns,
    title_of,
)
from raylm_apps.gateway.store.messages import Message, Status

Role = Literal["user", "assistant"]


def message(role: Role, text: str) -> Message:
    parts = [{"type": "step-start"}, {"type": "text", "text": text}]
    return Message("c", "m", None, role, Status.COMPLETE, None, datetime.now(UTC), parts)


def dialogue(*texts: str) -> list[Message]:
    roles: tuple[Role, Role] = ("user", "assistant")
    return [message(roles[i % 2], text) for i, text in enumerate(texts)]


def test_a_short_conversation_is_sent_whole() -> None:
    turns = prompt_turns(dialogue("Hi", "Hello", "How are you?"), 8192, 1024)
    assert [(turn.role, turn.text) for turn in turns] == [
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "How are you?"),
    ]


def test_the_oldest_messages_make_room() -> None:
    turns = prompt_turns(dialogue("a" * 400, "b" * 100, "c" * 100), 200, 100)
    assert [turn.text[0] for turn in turns] == ["b", "c"]


def test_an_answer_without_a_word_is_left_out() -> None:
    turns = prompt_turns(dialogue("Hi", "", "Hello?"), None, 1024)
    assert [turn.text for turn in turns] == ["Hi", "Hello?"]


@given(
    st.lists(st.text(min_size=1, max_size=50), min_size=1),
    st.integers(1, 500),
    st.integers(1, 500),
)
def test_the_last_message_is_always_sent_and_the_rest_fits(
    texts: list[str], context: int, answer: int
) -> None:
    turns = prompt_turns(dialogue(*texts), context, answer)
    sent = [turn.text for turn in turns]
    assert sent == texts[-len(sent) :]
    assert len(sent) == 1 or sum(map(len, sent)) <= context * CHARS_PER_TOKEN


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Why is the sky blue?", "Why is the sky blue?"),
        ("Name three rivers. Then sort them.", "Name three rivers."),
        ("\n\n# Heading\nbody", "Heading"),
        ("  spaced   out  ", "spaced out"),
        ("***", "New chat"),
        ("word " * 40, "word word word word word word word word word word word word…"),
        ("x" * 200, "x" * TITLE_CHARS + "…"),
    ],
)
def test_titles(text: str, title: str) -> None:
    assert title_of(text) == title


@given(st.text())
def test_a_title_is_short_and_never_empty(text: str) -> None:
    assert 0 < len(title_of(text)) <= TITLE_CHARS + 1
