import base64
from typing import Any

import pytest
from pydantic import ValidationError

from raylm.core.wire.anthropic.request_decoder import prompt_of
from raylm.core.wire.anthropic.requests import MessagesRequest
from raylm.core.wire.failure import WireError
from raylm.core.wire.prompt import (
    File,
    Image,
    ImageLink,
    JsonOutput,
    NamedTool,
    Prompt,
    Thought,
    ToolCall,
    Turn,
)

CACHED = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
PNG = {"type": "base64", "media_type": "image/png", "data": "ZG90"}


def text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def body(*content: Any, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": list(content) or "Hi"}]
    return {"model": "m", "max_tokens": 9, "messages": messages, **more}


def prompt(*content: Any, **more: Any) -> Prompt:
    return prompt_of(MessagesRequest.model_validate(body(*content, **more)))


def test_strings_are_short_for_text() -> None:
    asked = prompt(system="Be kind.")
    assert asked.turns == (Turn("system", "Be kind."), Turn("user", "Hi"))
    assert (asked.sampling.max_tokens, asked.tools, asked.effort) == (9, (), None)


def test_texts_become_one_turn_and_marks_end_one() -> None:
    assert prompt(text("a"), text("b", **CACHED), text("c")).turns == (
        Turn("user", "a\n\nb", cache=True),
        Turn("user", "c"),
    )
    system = [text("S", **CACHED), text("T")]
    assert prompt(system=system).turns[:2] == (Turn("system", "S", cache=True), Turn("system", "T"))
    assert prompt(**CACHED).turns[-1].cache


def test_images_before_and_after_a_text_stay_there() -> None:
    link = {"type": "url", "url": "https://example.com/a.png"}
    images = [{"type": "image", "source": source} for source in (PNG, link)]
    assert prompt(images[0], text("And?"), images[1], text("So?")).turns == (
        Turn("user", "And?", images=(Image("image/png", b"dot"),)),
        Turn("user", "So?", images=(ImageLink("https://example.com/a.png"),)),
    )


def test_documents() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}
    plain = {"type": "text", "media_type": "text/plain", "data": "a,b"}
    content = {"type": "content", "content": [text("One."), text("Two.")]}
    documents = [
        {"type": "document", "source": pdf, "title": "a.pdf", "context": "Of 1980."},
        {"type": "document", "source": plain, "title": "b", "citations": {"enabled": True}},
        {"type": "document", "source": content},
    ]
    first, second = prompt(documents[0], text("Read")).turns, prompt(*documents[1:]).turns
    assert first == (
        Turn("user", "Of 1980.\n\nRead", files=(File("application/pdf", b"%PDF", "a.pdf"),)),
    )
    assert second == (Turn("user", "b\n\na,b\n\nOne.\n\nTwo."),)


def test_results_come_first_with_their_images_and_errors() -> None:
    shown = [{"type": "image", "source": PNG}, text("see")]
    page = {"type": "search_result", "source": "https://a", "title": "A", "content": [text("a")]}
    turns = prompt(
        text("And hurry"),
        {"type": "tool_result", "tool_use_id": "x", "content": shown, **CACHED},
        {"type": "tool_result", "tool_use_id": "y", "content": "broken", "is_error": True},
        {"type": "tool_result", "tool_use_id": "z"},
        page,
    ).turns
    assert turns == (
        Turn("tool", "see", (), "x", (Image("image/png", b"dot"),), cache=True),
        Turn("tool", "broken", tool_call_id="y", is_error=True),
        Turn("tool", "", tool_call_id="z"),
        Turn("user", "And hurry\n\nA\n\nhttps://a\n\na"),
    )


def test_an_answer_of_before() -> None:
    """What a provider's tools did is in its text; later thoughts begin a turn of their own."""
    answer = [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "redacted_thinking", "data": "ZGF0YQ=="},
        {"type": "server_tool_use", "id": "x", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "x", "content": []},
        text("It is ", citations=None),
        text("11 degrees."),
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}, "caller": None},
        {"type": "thinking", "thinking": "So.", "signature": "t"},
        text("Done."),
    ]
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": answer},
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "?"},
    ]
    _, one, two, system, _ = prompt(messages=messages).turns
    assert one.thoughts == (Thought("Hm.", "s"), Thought("", "redacted_thinking:ZGF0YQ=="))
    assert one.text == "It is 11 degrees."
    assert one.tool_calls == (ToolCall("a", "f", '{"x":1}'),)
    assert two == Turn("assistant", "Done.", thoughts=(Thought("So.", "t"),))
    assert system == Turn("system", "Be brief.")


@pytest.mark.parametrize(
    ("choice", "expected", "parallel"),
    [
        ({"type": "auto"}, "auto", None),
        ({"type": "any", "disable_parallel_tool_use": True}, "required", False),
        ({"type": "none"}, "none", None),
        ({"type": "tool", "name": "f"}, NamedTool("f"), None),
    ],
)
def test_tool_choice(choice: Any, expected: Any, parallel: bool | None) -> None:
    tool = {"name": "f", "input_schema": {"type": "object"}, "strict": True}
    asked = prompt(tools=[tool], tool_choice=choice)
    assert (asked.tool_choice, asked.parallel_tools) == (expected, parallel)
    assert (asked.tools[0].name, asked.tools[0].strict) == ("f", True)


@pytest.mark.parametrize(
    ("more", "effort"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "minimal"),
        ({"thinking": {"type": "enabled", "budget_tokens": 3000}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10_000}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 60_000}}, "high"),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, "high"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, "low"),
        ({"output_config": {"effort": "max"}}, "high"),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, None),
    ],
)
def test_how_much_is_thought(more: dict[str, Any], effort: str | None) -> None:
    assert prompt(**more).effort == effort


def test_json_is_asked_for_in_the_new_way_and_in_the_old() -> None:
    format = {"type": "json_schema", "schema": {"type": "object"}}
    expected = JsonOutput({"type": "object"})
    assert prompt(output_config={"format": format}).output == expected
    assert prompt(output_format=format).output == expected


def test_sampling() -> None:
    sampling = prompt(temperature=1, top_p=0.5, top_k=3.0, stop_sequences=["END"]).sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (1, 0.5, 3)
    assert sampling.stop == ("END",)


IMAGE = {"type": "image", "source": PNG}


@pytest.mark.parametrize(
    ("wrong", "where", "why"),
    [
        ({"max_tokens": 0}, ("max_tokens",), "greater than or equal to 1"),
        ({"max_tokens": None}, ("max_tokens",), "valid integer"),
        ({"max_tokens": 1e300}, ("max_tokens",), "less than or equal"),
        ({"top_k": 1.5}, ("top_k",), "valid integer"),
        ({"temperature": 1.1}, ("temperature",), "less than or equal to 1"),
        ({"messages": []}, ("messages",), "at least 1"),
        ({"messages": [{"role": "tool", "content": "x"}]}, ("messages", 0), "'tool'"),
        ({"tools": [{"type": "web_search_20250305", "name": "x"}]}, ("tools", 0, "type"), "custom"),
        ({"tools": [{"name": "x"}]}, ("tools", 0, "input_schema"), "required"),
        ({"tool_choice": {"type": "all"}}, ("tool_choice",), "'all'"),
    ],
)
def test_a_wrong_field_is_named(wrong: Any, where: tuple[Any, ...], why: str) -> None:
    with pytest.raises(ValidationError) as error:
        prompt(**wrong)
    (first, *_) = error.value.errors()
    assert first["loc"][: len(where)] == where
    assert why in first["msg"]


@pytest.mark.parametrize(
    ("block", "where", "why"),
    [
        ({"type": "image", "source": {**PNG, "data": "=?"}}, "data", "not base64"),
        ({"type": "image", "source": {**PNG, "data": "ZG9ü"}}, "data", "not base64"),
        ({"type": "image", "source": {**PNG, "media_type": "image/tiff"}}, "media_type", "webp"),
        ({"type": "image", "source": {"type": "url", "url": "file:///x"}}, "url", "pattern"),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "source", "'file'"),
        ({"type": "document", "source": {"type": "url", "url": "x"}}, "source", "'url'"),
        ({"type": "tool_use", "id": "x"}, 0, "'tool_use'"),
        ({"type": "tool_result"}, "tool_use_id", "required"),
    ],
)
def test_a_wrong_block_is_named(block: Any, where: str | int, why: str) -> None:
    with pytest.raises(ValidationError) as error:
        prompt(block)
    (first, *_) = error.value.errors()
    assert first["loc"][:2] == ("messages", 0)
    assert first["loc"][-1] == where
    assert why in first["msg"]


@pytest.mark.parametrize("content", ["", " ", [], [text("")]])
def test_there_must_be_something_to_answer(content: Any) -> None:
    with pytest.raises(WireError, match="messages: there is nothing to answer"):
        prompt(system="Be kind.", messages=[{"role": "user", "content": content}])


def test_base64_is_read_as_it_is() -> None:
    data = bytes(range(256)) * 4_000
    source = {**PNG, "data": base64.b64encode(data).decode()}
    (turn,) = prompt({"type": "image", "source": source}).turns
    assert turn.images == (Image("image/png", data),)
