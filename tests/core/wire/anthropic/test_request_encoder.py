import json
from dataclasses import replace
from typing import Any

import pytest

from raylm.core.wire.anthropic.abilities import Abilities, abilities_by_name, abilities_of
from raylm.core.wire.anthropic.request_encoder import messages_request, version_of
from raylm.core.wire.failure import Failure, WireError
from raylm.core.wire.prompt import (
    File,
    Image,
    JsonOutput,
    NamedTool,
    Prompt,
    Sampling,
    Thought,
    ToolCall,
    ToolDefinition,
    Turn,
)

OLD = Abilities(adaptive=False, sampled=True, max_tokens=8_192)
NEW = Abilities(max_tokens=128_000)
PROMPT = Prompt([Turn("user", "Hi")])
TOOL = ToolDefinition("getWeather", "The weather.", {"properties": {"city": {"type": "string"}}})


def messages(*turns: Turn) -> Any:
    return messages_request(Prompt(turns), "m")["messages"]


def types(content: list[dict[str, Any]]) -> list[str]:
    return [block["type"] for block in content]


def test_the_smallest_request() -> None:
    assert messages_request(PROMPT, "claude-x") == {
        "model": "claude-x",
        "max_tokens": 32_000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "stream": True,
    }


def test_the_bound_is_the_models_where_that_is_lower() -> None:
    assert messages_request(PROMPT, "m", OLD)["max_tokens"] == 8_192
    asked = replace(PROMPT, sampling=Sampling(max_tokens=7))
    assert messages_request(asked, "m", OLD)["max_tokens"] == 7


def test_turns_of_one_side_become_one_message_results_first() -> None:
    answer = Turn("assistant", "Let me see.", [ToolCall("a", "f", "{}"), ToolCall("b", "f", "")])
    asked, answered, told = messages(
        Turn("user", "One"),
        Turn("user", "Two"),
        answer,
        Turn("user", "And hurry"),
        Turn("tool", "1", tool_call_id="a"),
        Turn("tool", "broken", tool_call_id="b", is_error=True, images=[Image("image/png", b"x")]),
    )
    assert [block["text"] for block in asked["content"]] == ["One", "Two"]
    assert [message["role"] for message in (asked, answered, told)] == ["user", "assistant", "user"]
    assert types(answered["content"]) == ["text", "tool_use", "tool_use"]
    assert types(told["content"]) == ["tool_result", "tool_result", "text"]
    first, second = told["content"][:2]
    assert (first["tool_use_id"], "is_error" in first) == ("a", False)
    assert (second["is_error"], types(second["content"])) == (True, ["image", "text"])


def test_system_turns_are_gathered_wherever_they_stand() -> None:
    turns = [Turn("system", "Be kind."), Turn("user", "Hi"), Turn("system", "Be brief.")]
    request = messages_request(Prompt(turns), "m")
    assert [block["text"] for block in request["system"]] == ["Be kind.", "Be brief."]
    assert len(request["messages"]) == 1


def test_blank_text_is_left_out() -> None:
    assert messages(Turn("user", "Hi"), Turn("assistant", " \n"), Turn("user", "?")) == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "?"}]}
    ]


def test_thoughts_come_back_signed_or_not_at_all() -> None:
    """Only their own provider can have signed them; what nobody signed is refused."""
    thoughts = [Thought("Hm."), Thought("So.", "sig"), Thought("", "redacted_thinking:ZGF0YQ==")]
    _, answered = messages(Turn("user", "Hi"), Turn("assistant", "Yes", thoughts=thoughts))
    assert answered["content"] == [
        {"type": "thinking", "thinking": "So.", "signature": "sig"},
        {"type": "redacted_thinking", "data": "ZGF0YQ=="},
        {"type": "text", "text": "Yes"},
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"city":"Rome"}', {"city": "Rome"}),
        ("", {}),
        ('{"city":', {"arguments": '{"city":'}),
        ("[1]", {"arguments": "[1]"}),
    ],
)
def test_arguments_are_an_object_whatever_the_model_wrote(
    arguments: str, expected: dict[str, Any]
) -> None:
    call = ToolCall("functions.f:0", "f", arguments)
    (answered, told) = messages(
        Turn("assistant", "", [call]), Turn("tool", "", tool_call_id="functions.f:0")
    )
    assert answered["content"][0]["input"] == expected
    assert answered["content"][0]["id"] == told["content"][0]["tool_use_id"] == "functions_f_0"


def test_pdfs_and_texts_are_documents_and_others_are_refused() -> None:
    pdf, text = File("application/pdf", b"%PDF", "a.pdf"), File("text/csv", b"a,b", "a.csv")
    (asked,) = messages(Turn("user", "Read", files=[pdf, text]))
    assert types(asked["content"]) == ["document", "document", "text"]
    sources = [block["source"] for block in asked["content"][:2]]
    assert [(source["type"], source["data"]) for source in sources] == [
        ("base64", "JVBERg=="),
        ("text", "a,b"),
    ]
    with pytest.raises(WireError, match=r"'a\.zip' is application/zip") as refusal:
        messages(Turn("user", "Read", files=[File("application/zip", b"PK", "a.zip")]))
    assert refusal.value.failure is Failure.REQUEST


def test_the_newest_four_hints_to_cache_are_told() -> None:
    turns = [Turn("system", "S", cache=True)]
    for number in range(3):
        thoughts = [Thought("", "sig")] if number == 2 else []
        turns += [Turn("user", f"{number}", cache=True), Turn("assistant", "", thoughts=thoughts)]
    request = messages_request(Prompt([*turns, Turn("assistant", "x", cache=True)]), "m")
    assert "cache_control" not in request["system"][0]
    marked = json.dumps(request).count('"cache_control": {"type": "ephemeral"}')
    assert marked == 4


def test_a_thought_is_never_marked() -> None:
    answer = Turn("assistant", "", thoughts=[Thought("Hm.", "sig")], cache=True)
    assert "cache_control" not in json.dumps(messages(Turn("user", "Hi"), answer))


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        ("auto", None, {"type": "auto"}),
        ("auto", False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", True, {"type": "any", "disable_parallel_tool_use": False}),
        ("none", False, {"type": "none"}),
        (NamedTool("getWeather"), None, {"type": "tool", "name": "getWeather"}),
    ],
)
def test_tools(choice: Any, parallel: bool | None, expected: dict[str, Any]) -> None:
    prompt = replace(PROMPT, tools=[TOOL], tool_choice=choice, parallel_tools=parallel)
    request = messages_request(prompt, "m")
    assert request["tool_choice"] == expected
    (tool,) = request["tools"]
    assert tool == {
        "name": "getWeather",
        "description": "The weather.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
    }


SAMPLING = Sampling(temperature=1.5, top_p=0.9, top_k=5, seed=1, stop=["END", " "])


def test_sampling_is_for_models_that_have_it_and_needs_the_older_version() -> None:
    prompt = replace(PROMPT, sampling=SAMPLING)
    old, new = messages_request(prompt, "m", OLD), messages_request(prompt, "m", NEW)
    assert (old["temperature"], old["top_k"], old["stop_sequences"]) == (1.0, 5, ["END"])
    assert not {"top_p", "seed"} & old.keys()
    assert not {"temperature", "top_p", "top_k"} & new.keys()
    assert (version_of(old), version_of(new)) == ("2023-06-01", "2026-10-21")
    only_top_p = replace(PROMPT, sampling=Sampling(top_p=0.9))
    assert messages_request(only_top_p, "m", OLD)["top_p"] == 0.9


def test_thinking_by_budget_and_as_the_model_sees_fit() -> None:
    prompt = replace(PROMPT, effort="high", sampling=replace(SAMPLING, max_tokens=10_000))
    old, new = messages_request(prompt, "m", OLD), messages_request(prompt, "m", NEW)
    assert old["thinking"] == {"type": "enabled", "budget_tokens": 5_000}
    assert not {"temperature", "top_k", "output_config"} & old.keys()
    assert new["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert new["output_config"] == {"effort": "high"}


def test_thinking_is_left_out_where_it_cannot_be() -> None:
    short = replace(PROMPT, effort="high", sampling=Sampling(max_tokens=1_000))
    forced = replace(PROMPT, effort="high", tools=[TOOL], tool_choice="required")
    assert "thinking" not in messages_request(short, "m", OLD)
    assert "thinking" not in messages_request(forced, "m", NEW)
    thoughtless = Abilities(thinks=False, adaptive=False)
    assert "thinking" not in messages_request(replace(PROMPT, effort="low"), "m", thoughtless)


def test_json_of_a_schema_and_json_of_any_kind() -> None:
    inner = {"type": "object", "properties": {"x": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"list": {"type": "array", "items": inner}}}
    request = messages_request(replace(PROMPT, output=JsonOutput(schema)), "m")
    told = request["output_config"]["format"]["schema"]
    assert told["additionalProperties"] is False
    assert told["properties"]["list"]["items"]["additionalProperties"] is False
    any_json = messages_request(replace(PROMPT, output=JsonOutput()), "m")
    assert "one JSON object" in any_json["system"][-1]["text"]


@pytest.mark.parametrize(
    ("name", "thinks", "adaptive", "sampled"),
    [
        ("claude-3-haiku-20240307", False, False, True),
        ("claude-3-7-sonnet-20250219", True, False, True),
        ("claude-opus-4-20250514", True, False, True),
        ("claude-haiku-4-5-20251001", True, False, True),
        ("claude-sonnet-4-6", True, True, True),
        ("claude-opus-4-7", True, True, False),
        ("claude-sonnet-5", True, True, False),
        ("claude-mythos-preview", True, True, False),
        ("anthropic.claude-haiku-4.5", True, False, True),
    ],
)
def test_a_name_tells_what_a_model_takes(
    name: str, thinks: bool, adaptive: bool, sampled: bool
) -> None:
    assert abilities_by_name(name) == Abilities(thinks, adaptive, sampled)


def test_the_models_list_tells_it_better() -> None:
    yes, no = {"supported": True}, {"supported": False}
    types = {"adaptive": yes, "enabled": no}
    listed = {"id": "x", "max_tokens": 64, "capabilities": {"thinking": {**yes, "types": types}}}
    assert abilities_of(listed) == Abilities(True, True, False, 64)
    assert abilities_of({"id": "claude-opus-4-1", "capabilities": None}).sampled
