"""What is sent is what Google's own types describe, and what their client would send."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from raylm.core.wire.google.request_encoder import generate_request
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

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TYPES: dict[str, TypeAdapter[Any]] = {
    "contents": TypeAdapter(list[types.Content]),
    "systemInstruction": TypeAdapter(types.Content),
    "tools": TypeAdapter(list[types.Tool]),
    "toolConfig": TypeAdapter(types.ToolConfig),
    "generationConfig": TypeAdapter(types.GenerationConfig),
}
SIGNATURE = base64.b64encode(b"signed").decode()


def encoded(prompt: Prompt, model: str = "gemini-3-pro", *, reasons: bool = False) -> Any:
    """As it goes over the wire, after Google's types have had a look at it."""
    body = json.loads(json.dumps(generate_request(prompt, model, reasons=reasons)))
    for name, value in body.items():
        TYPES[name].validate_json(json.dumps(value))
    return body


def prompt(*turns: Turn, **fields: Any) -> Prompt:
    return Prompt(turns or [Turn("user", "Hi")], **fields)


def test_a_question_is_all() -> None:
    assert encoded(prompt()) == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


def test_what_the_system_says_stands_apart() -> None:
    body = encoded(prompt(Turn("system", "Be brief."), Turn("user", "Hi"), Turn("system", "Bye.")))
    assert body == {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Bye."}]},
    }


def test_results_stand_together_and_name_their_function() -> None:
    calls = [ToolCall(f"c{n}", name, '{"city":"Rome"}') for n, name in enumerate(("rain", "wind"))]
    turns = [
        Turn("user", "Rome?"),
        Turn("assistant", "Let me see.", calls),
        Turn("tool", "none", tool_call_id="c0"),
        Turn("tool", "no idea", tool_call_id="c1", is_error=True),
        Turn("user", "And?"),
    ]
    _, called, told, asked = encoded(prompt(*turns))["contents"]
    assert called == {
        "role": "model",
        "parts": [
            {"text": "Let me see."},
            {"functionCall": {"id": "c0", "name": "rain", "args": {"city": "Rome"}}},
            {"functionCall": {"id": "c1", "name": "wind", "args": {"city": "Rome"}}},
        ],
    }
    assert told["role"] == asked["role"] == "user"
    assert [part["functionResponse"] for part in told["parts"]] == [
        {"id": "c0", "name": "rain", "response": {"output": "none"}},
        {"id": "c1", "name": "wind", "response": {"error": "no idea"}},
    ]


def test_a_result_of_a_call_that_nobody_made_has_a_name_all_the_same() -> None:
    (content,) = encoded(prompt(Turn("tool", "x", tool_call_id="lost")))["contents"]
    assert content["parts"][0]["functionResponse"]["name"] == "unknown"


def test_signatures_go_back_where_they_came_from() -> None:
    thoughts = [Thought("Hm.", SIGNATURE), Thought("unsigned"), Thought("", SIGNATURE)]
    call = ToolCall("c", "rain", "{}", SIGNATURE)
    (content,) = encoded(prompt(Turn("assistant", "So.", [call], thoughts=thoughts)))["contents"]
    assert content["parts"] == [
        {"text": "Hm.", "thought": True, "thoughtSignature": SIGNATURE},
        {"text": "So.", "thoughtSignature": SIGNATURE},
        {
            "functionCall": {"id": "c", "name": "rain", "args": {}},
            "thoughtSignature": SIGNATURE,
        },
    ]


@pytest.mark.parametrize("arguments", ["{bad", "[1]", '"x"', ""])
def test_arguments_that_are_no_object_are_not_told(arguments: str) -> None:
    turn = Turn("assistant", "", [ToolCall("c", "f", arguments)])
    (content,) = encoded(prompt(turn))["contents"]
    assert content["parts"][0]["functionCall"]["args"] == {}


def test_images_and_files() -> None:
    turn = Turn(
        "user",
        "Look",
        images=[Image("image/png", b"dot"), ImageLink("https://a.example/b.webp?x=1")],
        files=[File("application/pdf", b"%PDF", "a.pdf")],
    )
    (content,) = encoded(prompt(turn))["contents"]
    assert content["parts"] == [
        {"text": "Look"},
        {"inlineData": {"mimeType": "image/png", "data": "ZG90"}},
        {"fileData": {"fileUri": "https://a.example/b.webp?x=1", "mimeType": "image/webp"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERg=="}},
    ]


def test_what_a_result_shows_is_a_part_of_it_or_beside_it() -> None:
    """Gemini has results with pictures since 3."""
    turns = [
        Turn("assistant", "", [ToolCall("c", "draw", "{}"), ToolCall("d", "rain", "{}")]),
        Turn("tool", "Done", tool_call_id="c", images=[Image("image/png", b"dot")]),
        Turn("tool", "none", tool_call_id="d"),
    ]
    drawn: Any = {"id": "c", "name": "draw", "response": {"output": "Done"}}
    rain = {"functionResponse": {"id": "d", "name": "rain", "response": {"output": "none"}}}
    picture = {"inlineData": {"mimeType": "image/png", "data": "ZG90"}}
    newer = generate_request(prompt(*turns), "gemini-3-pro")["contents"]
    assert newer[-1]["parts"] == [{"functionResponse": {**drawn, "parts": [picture]}}, rain]
    older = generate_request(prompt(*turns), "gemini-2.5-pro")["contents"]
    assert older[-1]["parts"] == [{"functionResponse": drawn}, picture, rain]
    for contents in (newer, older):
        types.Content.model_validate(contents[-1])


def test_every_way_to_sample() -> None:
    sampling = Sampling(9, 0.5, 0.9, 40, ["END"], 7, 0.1, 0.2)
    assert None not in vars(sampling).values()
    assert encoded(prompt(sampling=sampling))["generationConfig"] == {
        "maxOutputTokens": 9,
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "stopSequences": ["END"],
        "seed": 7,
        "frequencyPenalty": 0.1,
        "presencePenalty": 0.2,
    }


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (NamedTool("rain"), {"mode": "ANY", "allowedFunctionNames": ["rain"]}),
    ],
)
def test_tools(choice: ToolChoice, config: Any) -> None:
    tool = ToolDefinition("rain", "Whether it rains.", SCHEMA, strict=True)
    body = encoded(prompt(tools=[tool], tool_choice=choice))
    declaration = {
        "name": "rain",
        "description": "Whether it rains.",
        "parametersJsonSchema": SCHEMA,
    }
    assert body["tools"] == [{"functionDeclarations": [declaration]}]
    assert body["toolConfig"] == {"functionCallingConfig": config}


@pytest.mark.parametrize(
    ("output", "config"),
    [
        (JsonOutput(), {"responseMimeType": "application/json"}),
        (
            JsonOutput(SCHEMA),
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        ),
    ],
)
def test_an_answer_in_json(output: JsonOutput, config: Any) -> None:
    assert encoded(prompt(output=output))["generationConfig"] == config


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("gemini-2.5-flash", {"includeThoughts": True, "thinkingBudget": 24_576}),
        ("gemini-3-pro", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
    ],
)
def test_effort_is_told_as_the_model_wants_it(model: str, thinking: Any) -> None:
    asked = prompt(effort="high")
    assert encoded(asked, model, reasons=True)["generationConfig"] == {"thinkingConfig": thinking}
    assert "generationConfig" not in encoded(asked, model)
    plain = encoded(replace(asked, effort=None), model, reasons=True)["generationConfig"]
    assert plain == {"thinkingConfig": {"includeThoughts": True}}


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
    thoughts=st.lists(st.builds(Thought, st.text(max_size=4), st.just(SIGNATURE)), max_size=2),
    is_error=st.booleans(),
)


@given(st.lists(TURNS, max_size=6))
def test_whatever_is_said_is_accepted_by_googles_types(turns: list[Turn]) -> None:
    contents = encoded(Prompt(turns))["contents"]
    assert all(content["parts"] for content in contents)
