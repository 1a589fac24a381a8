"""What is sent is what OpenAI's own types describe."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
from pydantic import TypeAdapter

from raylm.core.wire.openai.responses_encoder import responses_request
from raylm.core.wire.prompt import (
    File,
    Image,
    ImageLink,
    JsonOutput,
    NamedTool,
    Prompt,
    Sampling,
    Thought,
    ToolCall,
    ToolChoice,
    ToolDefinition,
    Turn,
)

TYPE: TypeAdapter[Any] = TypeAdapter(ResponseCreateParamsStreaming)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FIXED = {"model": "gpt-5", "stream": True, "store": False}


def encoded(prompt: Prompt, *, reasons: bool = False) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(
        json.dumps(responses_request(prompt, "gpt-5", reasons=reasons))
    )
    exhaust(TYPE.validate_python(body))
    return body


def exhaust(value: Any) -> None:
    """pydantic looks at an Iterable's items only when they are asked for."""
    if isinstance(value, Mapping):
        for inner in value.values():
            exhaust(inner)
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for inner in value:
            exhaust(inner)


def prompt(*turns: Turn, **fields: Any) -> Prompt:
    return Prompt(turns or [Turn("user", "Hi")], **fields)


def test_the_check_is_one() -> None:
    with pytest.raises(ValueError, match="type"):
        exhaust(TYPE.validate_python({**FIXED, "input": [{"type": "reasoning", "id": 3}]}))


def test_a_question_is_all() -> None:
    assert encoded(prompt()) == {**FIXED, "input": [{"role": "user", "content": "Hi"}]}


def test_the_items_of_an_answer() -> None:
    thoughts = [Thought("Hm.", "rs_1:secret"), Thought("", "rs_2:more"), Thought("another's")]
    call = ToolCall("c1", "rain", '{"city":"Rome"}')
    body = encoded(
        prompt(
            Turn("system", "Be brief."),
            Turn("user", "Rome?"),
            Turn("assistant", "Let me see.", [call], thoughts=thoughts),
            Turn("tool", "no rain", tool_call_id="c1"),
        )
    )
    assert body["input"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Rome?"},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "Hm."}],
            "encrypted_content": "secret",
        },
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "more"},
        {"role": "assistant", "content": "Let me see."},
        {
            "type": "function_call",
            "call_id": "c1",
            "name": "rain",
            "arguments": '{"city":"Rome"}',
        },
        {"type": "function_call_output", "call_id": "c1", "output": "no rain"},
    ]


def test_a_result_that_shows_something() -> None:
    turn = Turn("tool", "Done", tool_call_id="c", images=[Image("image/png", b"dot")])
    (item,) = encoded(prompt(turn))["input"]
    picture = {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,ZG90"}
    assert item["output"] == [{"type": "input_text", "text": "Done"}, picture]


def test_a_thought_that_nothing_follows_is_left_out() -> None:
    turn = Turn("assistant", "", thoughts=[Thought("Hm.", "rs_1:secret")])
    assert encoded(prompt(turn, Turn("user", "Well?")))["input"] == [
        {"role": "user", "content": "Well?"}
    ]


def test_images_and_files() -> None:
    turn = Turn(
        "user",
        "Look",
        images=[Image("image/png", b"dot"), ImageLink("https://a.example/b.png")],
        files=[File("application/pdf", b"%PDF", "a.pdf")],
    )
    assert encoded(prompt(turn))["input"][0]["content"] == [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,ZG90"},
        {"type": "input_image", "detail": "auto", "image_url": "https://a.example/b.png"},
        {
            "type": "input_file",
            "filename": "a.pdf",
            "file_data": "data:application/pdf;base64,JVBERg==",
        },
    ]


def test_what_can_be_sampled_and_what_cannot() -> None:
    body = encoded(prompt(sampling=Sampling(9, 0.5, 0.9, 40, ["END"], 7, 0.1, 0.2)))
    del body["input"]
    assert body == {**FIXED, "max_output_tokens": 9, "temperature": 0.5, "top_p": 0.9}


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        (NamedTool("rain"), {"type": "function", "name": "rain"}),
    ],
)
def test_tools(choice: ToolChoice, told: Any) -> None:
    tools = [ToolDefinition("rain", "Rain.", SCHEMA), ToolDefinition("wind", "", SCHEMA, True)]
    body = encoded(prompt(tools=tools, tool_choice=choice, parallel_tools=False))
    assert body["tools"] == [
        {
            "type": "function",
            "name": "rain",
            "description": "Rain.",
            "parameters": SCHEMA,
            "strict": False,
        },
        {
            "type": "function",
            "name": "wind",
            "description": "",
            "parameters": SCHEMA,
            "strict": True,
        },
    ]
    assert (body["tool_choice"], body["parallel_tool_calls"]) == (told, False)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (JsonOutput(), {"type": "json_object"}),
        (
            JsonOutput(SCHEMA, "place"),
            {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True},
        ),
    ],
)
def test_an_answer_in_json(output: JsonOutput, told: Any) -> None:
    assert encoded(prompt(output=output))["text"] == {"format": told}


def test_only_a_model_that_reasons_is_asked_for_its_thoughts() -> None:
    body = encoded(prompt(effort="low"), reasons=True)
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}
    assert body["include"] == ["reasoning.encrypted_content"]
    assert encoded(prompt(), reasons=True)["reasoning"] == {"summary": "auto"}
    assert encoded(prompt(effort="low")).keys() == {*FIXED, "input"}


TURNS = st.builds(
    Turn,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    text=st.text(max_size=8),
    tool_calls=st.lists(
        st.builds(ToolCall, st.text(max_size=4), st.text(max_size=4), st.text(max_size=4)),
        max_size=2,
    ),
    tool_call_id=st.text(max_size=4),
    images=st.lists(st.builds(Image, st.just("image/png"), st.binary(max_size=4)), max_size=2),
    thoughts=st.lists(st.builds(Thought, st.text(max_size=4), st.text(max_size=4)), max_size=2),
)


@given(st.lists(TURNS, max_size=6))
def test_whatever_is_said_is_accepted_by_openais_types(turns: list[Turn]) -> None:
    encoded(Prompt(turns), reasons=True)
