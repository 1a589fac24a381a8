from typing import Any

import pytest

from raylm_apps.gateway.approval import (
    Continuation,
    Decision,
    decide,
    decided_calls,
    decisions_of,
    known,
    pending,
)
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.tool_parts import Part
from raylm_apps.gateway.wire.question import ChatRequest


def call(number: int, state: str, **approval: Any) -> Part:
    part = {"type": "tool-note", "toolCallId": f"c{number}", "state": state, "input": {}}
    return {**part, "approval": {"id": f"a{number}", **approval}}


def request(parts: list[Any], **more: Any) -> ChatRequest:
    message = {"id": "m1", "role": more.pop("role", "assistant"), "parts": parts}
    return ChatRequest.model_validate({"id": "chat-0001", "messages": [message], **more})


ALLOWED = call(1, "approval-responded", approved=True)
DENIED = call(2, "approval-responded", approved=False, reason="No.")


def test_a_decision_is_read() -> None:
    assert decisions_of(request([ALLOWED, DENIED, {"type": "text", "text": "x"}])) == {
        "a1": Decision(id="a1", approved=True),
        "a2": Decision(id="a2", approved=False, reason="No."),
    }


@pytest.mark.parametrize(
    "asked",
    [
        request([call(1, "approval-requested")]),
        request([ALLOWED], role="user"),
        request([ALLOWED], trigger="regenerate-message"),
        request(
            [ALLOWED],
            message={"id": "question-1", "role": "user", "parts": [{"type": "text", "text": "x"}]},
        ),
        ChatRequest(id="chat-0001"),
    ],
)
def test_what_is_a_question_is_no_decision(asked: ChatRequest) -> None:
    assert decisions_of(asked) == {}


@pytest.mark.parametrize(
    "approval", [None, {}, {"id": "a1"}, {"id": 1, "approved": True}, {"id": "a1", "approved": 1}]
)
def test_half_a_decision_is_refused(approval: Any) -> None:
    with pytest.raises(ApiError, match="bad_request:api: approval"):
        decisions_of(request([{"state": "approval-responded", "approval": approval}]))


def test_decisions_are_noted_where_they_are_waited_for() -> None:
    done = call(3, "output-available", approved=True)
    parts = [call(1, "approval-requested"), call(2, "approval-requested"), done]
    assert (pending(parts), known(parts)) == ({"a1", "a2"}, {"a1": "c1", "a2": "c2", "a3": "c3"})
    given = decisions_of(request([ALLOWED, DENIED]))
    decided = decide(parts, given | {"a3": Decision(id="a3", approved=False)})
    assert decided == [ALLOWED, DENIED, done]
    assert decided_calls(decided) == ([ALLOWED], [DENIED])
    assert pending(decided) == set()


def test_what_is_news_to_whoever_decided() -> None:
    stream = [
        {"type": "start"},
        {"type": "start-step"},
        {"type": "tool-output-available", "toolCallId": "c0"},
        {"type": "finish-step"},
        {"type": "tool-output-denied", "toolCallId": "c2"},
        {"type": "start-step"},
        {"type": "finish"},
    ]
    continuation = Continuation({"c1", "c2"})
    assert [part for part in stream if continuation.is_news(part)] == [stream[0], *stream[4:]]
