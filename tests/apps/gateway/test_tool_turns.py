from datetime import UTC, datetime
from typing import Any

import pytest

from raylm.core.wire.prompt import Thought, ToolCall, Turn
from raylm_apps.gateway.conversation import CUT, Conversation, prompt_turns
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.store.messages import Message, Status
from raylm_apps.gateway.tool_parts import Part
from raylm_apps.gateway.tool_turns import DENIED, NO_RESULT, UNDECIDED, result_of, turns_of

STEP = {"type": "step-start"}


def call(call_id: str, state: str, **fields: Any) -> Part:
    part = {"type": "tool-getWeather", "toolCallId": call_id, "input": {"city": "Paris"}}
    return {**part, "state": state, **fields}


def text(text: str) -> Part:
    return {"type": "text", "text": text}


PARTS = [
    STEP,
    text("Let me see."),
    call("c1", "output-available", output={"degrees": 11}),
    call("c2", "output-error", errorText="no"),
    STEP,
    text("11 degrees."),
]
CALLS = tuple(ToolCall(call_id, "getWeather", '{"city":"Paris"}') for call_id in ("c1", "c2"))


def message(role: Any, parts: list[Part]) -> Message:
    return Message("c", "m", None, role, Status.COMPLETE, None, datetime.now(UTC), parts)


def test_each_step_is_a_turn_with_its_results() -> None:
    assert turns_of(PARTS, tools=True) == [
        Turn("assistant", "Let me see.", CALLS),
        Turn("tool", '{"degrees":11}', tool_call_id="c1"),
        Turn("tool", "Error: no", tool_call_id="c2"),
        Turn("assistant", "11 degrees."),
    ]


def test_a_model_without_tools_reads_the_text_alone() -> None:
    assert turns_of(PARTS, tools=False) == [Turn("assistant", "Let me see.11 degrees.")]
    assert turns_of(PARTS[2:4], tools=False) == []


def signed(by: str, signature: str) -> dict[str, Any]:
    return {by: {"signature": signature}}


def test_signatures_go_back_to_whom_they_came_from() -> None:
    parts = [
        STEP,
        {"type": "reasoning", "text": "Hm.", "providerMetadata": signed("google", "a")},
        {"type": "reasoning", "text": "unsigned"},
        {"type": "reasoning", "text": "", "providerMetadata": signed("anthropic", "b")},
        text("Let me see."),
        call("c1", "output-available", output=1, callProviderMetadata=signed("google", "c")),
        STEP,
        {
            "type": "reasoning",
            "text": "Nothing follows.",
            "providerMetadata": signed("google", "d"),
        },
    ]
    (turn, _) = turns_of(parts, tools=True, provider="google")
    assert turn.thoughts == (Thought("Hm.", "a"),)
    assert turn.tool_calls == (ToolCall("c1", "getWeather", '{"city":"Paris"}', "c"),)
    (turn, _) = turns_of(parts, tools=True, provider="anthropic")
    assert turn.thoughts == (Thought("", "b"),)
    assert turn.tool_calls[0].signature == ""
    for other in ("", "openai"):
        (turn, _) = turns_of(parts, tools=True, provider=other)
        assert (turn.thoughts, turn.tool_calls[0].signature) == ((), "")


def test_a_model_without_tools_gets_the_thoughts_of_an_answer_without_calls() -> None:
    thought = {"type": "reasoning", "text": "Hm.", "providerMetadata": signed("google", "a")}
    assert turns_of([STEP, thought, text("Yes.")], tools=False, provider="google") == [
        Turn("assistant", "Yes.", thoughts=(Thought("Hm.", "a"),))
    ]
    (turn,) = turns_of([STEP, thought, *PARTS], tools=False, provider="google")
    assert turn == Turn("assistant", "Let me see.11 degrees.")


def test_the_prompt_is_for_the_models_provider() -> None:
    thought = {"type": "reasoning", "text": "Hm.", "providerMetadata": signed("google", "a")}
    path = [message("user", [text("?")]), message("assistant", [STEP, thought, text("!")])]
    path.append(message("user", [text("And?")]))
    for provider, thoughts in (("google", (Thought("Hm.", "a"),)), ("openai", ())):
        card = ModelCard(f"{provider}/m", "m", provider, tools=True)
        begun = [STEP, thought, *PARTS[1:3]]
        turns = Conversation(path, card, "u1", 100).prompt(begun).turns
        assert [tuple(turn.thoughts) for turn in turns if turn.role == "assistant"] == [
            thoughts,
            thoughts,
        ]


@pytest.mark.parametrize(
    ("part", "result"),
    [
        (call("c", "output-available", output="plain"), "plain"),
        (call("c", "output-available", output=1, preliminary=True), NO_RESULT),
        (call("c", "output-denied", approval={"id": "a", "approved": False}), DENIED),
        (call("c", "output-denied", approval={"reason": "No."}), f"{DENIED} Their reason: No."),
        (call("c", "approval-requested", approval={"id": "a"}), UNDECIDED),
        (call("c", "input-available"), NO_RESULT),
        (call("c", "input-streaming"), NO_RESULT),
    ],
)
def test_every_call_has_a_result(part: Part, result: str) -> None:
    """Providers refuse a prompt with a call that nobody has answered."""
    assert result_of(part) == result


def test_arguments_that_were_no_json_are_not_repeated() -> None:
    broken = {**call("c1", "output-error", errorText="not JSON"), "rawInput": "{bad"}
    del broken["input"]
    (turn, _) = turns_of([broken], tools=True)
    assert turn.tool_calls == (ToolCall("c1", "getWeather", "{}"),)


def test_calls_and_results_count_in_the_budget() -> None:
    heavy = [STEP, call("c1", "output-available", output="x" * 400)]
    path = [message("user", [text("a" * 10)]), message("assistant", heavy)]
    path += [message("user", [text("b" * 10)])]
    assert [turn.role for turn in prompt_turns(path, 200, 100, tools=True)] == ["user"]
    assert len(prompt_turns(path, 600, 100, tools=True)) == 4


def test_results_of_the_answer_share_what_room_there_is() -> None:
    begun = [STEP, *(call(f"c{i}", "output-available", output="x" * 5_000) for i in range(3))]
    path = [message("user", [text("Why?")])]
    turns = prompt_turns(path, 2_000, 500, begun, tools=True)
    assert [turn.role for turn in turns] == ["user", "assistant", "tool", "tool", "tool"]
    assert [turn.text for turn in turns[2:]] == ["x" * 750 + CUT] * 3
    assert prompt_turns(path, 20_000, 500, begun, tools=True)[-1].text == "x" * 5_000


def test_the_last_prompt_of_an_answer_forbids_calls() -> None:
    card = ModelCard("mock/tools", "tools", "mock", tools=True)
    conversation = Conversation([message("user", [text("Why?")])], card, "u1", 100)
    assert conversation.prompt().tool_choice == "auto"
    assert conversation.prompt(PARTS, may_call=False).tool_choice == "none"
    assert conversation.prompt(PARTS).turns[-1] == Turn("assistant", "11 degrees.")
