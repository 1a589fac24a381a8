"""Prompts as OpenAI's chat completions, as far as their tools show pictures."""

from typing import Any

from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

from raylm.core.wire.openai.request_encoder import SEE_BELOW, chat_request
from raylm.core.wire.prompt import File, Image, Prompt, ToolCall, Turn

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,ZG90"}}
CALLS = Turn("assistant", "", [ToolCall("c", "draw", "{}"), ToolCall("d", "rain", "{}")])


def messages(*turns: Turn) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = chat_request(Prompt(turns), "m")["messages"]
    for message in told:
        TypeAdapter(ChatCompletionMessageParam).validate_python(message)
    return told


def test_what_results_show_follows_all_of_them() -> None:
    told = messages(
        CALLS,
        Turn("tool", "", tool_call_id="c", images=[Image("image/png", b"dot")]),
        Turn("tool", "none", tool_call_id="d"),
        Turn("assistant", "There."),
    )
    assert [message["role"] for message in told] == [
        *("assistant", "tool", "tool", "user", "assistant")
    ]
    assert [message["content"] for message in told[1:3]] == [SEE_BELOW, "none"]
    assert told[3]["content"] == [{"type": "text", "text": "What draw has shown:"}, PICTURE]


def test_at_the_end_each_is_told_apart() -> None:
    told = messages(
        CALLS,
        Turn("tool", "Done", tool_call_id="c", images=[Image("image/png", b"dot")]),
        Turn("tool", "Done", tool_call_id="d", files=[File("application/pdf", b"%PDF", "a.pdf")]),
    )
    texts = [part.get("text") for part in told[-1]["content"]]
    assert texts == ["What draw has shown:", None, "What rain has shown:", None]
    assert told[1]["content"] == "Done"


def test_results_of_text_alone_are_all() -> None:
    told = messages(CALLS, Turn("tool", "mild", tool_call_id="c"))
    assert [message["role"] for message in told] == ["assistant", "tool"]
