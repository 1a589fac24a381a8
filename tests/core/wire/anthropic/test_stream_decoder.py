from typing import Any

import pytest

from raylm.core.wire.anthropic.stream_decoder import MessageStreamDecoder
from raylm.core.wire.events import (
    Event,
    Finished,
    ReasoningDelta,
    ReasoningSigned,
    Source,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    Usage,
)
from raylm.core.wire.failure import Failure, WireError
from raylm.core.wire.prompt import ToolCall

STOP: dict[str, Any] = {"type": "message_stop"}


def start(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    block = {"type": kind, **fields}
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def ended(reason: str, sequence: str | None = None, **usage: Any) -> dict[str, Any]:
    told = {"stop_reason": reason, "stop_sequence": sequence}
    return {"type": "message_delta", "delta": told, "usage": usage}


def heard(*chunks: dict[str, Any]) -> list[Event]:
    decoder = MessageStreamDecoder()
    return [event for chunk in chunks for event in decoder.decode(chunk)] + decoder.end()


def test_thoughts_text_and_usage_with_caches() -> None:
    usage = {"input_tokens": 3, "cache_read_input_tokens": 100, "output_tokens": 1}
    assert heard(
        {"type": "message_start", "message": {"usage": {**usage, "service_tier": None}}},
        {"type": "ping"},
        start(0, "thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="Hm."),
        delta(0, "signature_delta", signature="sig"),
        stop(0),
        start(1, "redacted_thinking", data="ZGF0YQ=="),
        stop(1),
        start(2, "text", text=""),
        delta(2, "text_delta", text="Good day"),
        {"type": "an event yet to be invented", "index": 2},
        delta(2, "a delta yet to be invented"),
        stop(2),
        start(3, "a block yet to be invented"),
        stop(3),
        ended(
            "end_turn",
            output_tokens=9,
            cache_creation_input_tokens=10,
            output_tokens_details={"thinking_tokens": 4},
        ),
        STOP,
    ) == [
        ReasoningDelta("Hm."),
        ReasoningSigned("sig"),
        ReasoningSigned("redacted_thinking:ZGF0YQ=="),
        TextDelta("Good day"),
        Finished("stop", Usage(113, 9, 100, 10, 4)),
    ]


def test_calls_in_pieces_at_once_and_without_arguments() -> None:
    events = heard(
        start(0, "tool_use", id="x", name="get weather", input={}),
        delta(0, "input_json_delta", partial_json=""),
        delta(0, "input_json_delta", partial_json='{"city":'),
        delta(0, "input_json_delta", partial_json='"Rome"}'),
        stop(0),
        start(1, "tool_use", id="x", name="f", input={"a": 1}),
        stop(1),
        start(2, "tool_use", id="y", name="now", input={}),
        stop(2),
        ended("tool_use"),
        STOP,
    )
    calls = [event for event in events if isinstance(event, ToolCall)]
    assert [(call.name, call.arguments) for call in calls] == [
        ("get_weather", '{"city":"Rome"}'),
        ("f", '{"a":1}'),
        ("now", "{}"),
    ]
    assert len({call.id for call in calls} - {"x", "y"}) == 3
    for call in calls:
        assert ToolCallStarted(call.id, call.name) in events
        told = [e.arguments for e in events if isinstance(e, ToolCallDelta) and e.id == call.id]
        assert "".join(told) == call.arguments
    assert events[-1] == Finished("tool-calls")


def test_a_search_and_what_is_cited_of_it() -> None:
    pages = [
        {"type": "web_search_result", "url": f"https://{name}.example", "title": name}
        for name in ("a", "b")
    ]
    place = {"type": "web_search_result_location", "cited_text": "x", "encrypted_index": "y"}
    events = heard(
        start(0, "server_tool_use", id="srvtoolu_1", name="web_search", input={}),
        delta(0, "input_json_delta", partial_json='{"query":"x"}'),
        stop(0),
        start(
            1,
            "web_search_tool_result",
            tool_use_id="srvtoolu_1",
            content=[{**page, "encrypted_content": "secret"} for page in pages],
        ),
        stop(1),
        start(2, "text", text="", citations=[]),
        delta(2, "citations_delta", citation={**place, **pages[0]}),
        delta(2, "citations_delta", citation={**place, "url": "https://c.example", "title": None}),
        delta(2, "citations_delta", citation={"type": "char_location", "document_index": 0}),
        delta(2, "text_delta", text="So."),
        ended("pause_turn"),
        STOP,
    )
    assert isinstance(events[0], ToolResult)
    assert events[0].name == "web_search"
    assert "secret" not in events[0].output
    assert "https://b.example" in events[0].output
    assert events[1:] == [
        Source("https://a.example", "a"),
        Source("https://b.example", "b"),
        Source("https://c.example", ""),
        TextDelta("So."),
        Finished("other"),
    ]


def test_a_search_that_failed_is_told_of() -> None:
    error = {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}
    result, end = heard(start(0, "web_search_tool_result", tool_use_id="x", content=error), STOP)
    assert isinstance(result, ToolResult)
    assert "max_uses_exceeded" in result.output
    assert isinstance(end, Finished)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool-calls"),
        ("refusal", "content-filter"),
        ("a reason yet to be invented", "other"),
    ],
)
def test_reasons(told: str, reason: str) -> None:
    assert heard(ended(told), STOP) == [Finished(reason)]


def test_a_stop_sequence_is_named() -> None:
    assert heard(ended("stop_sequence", "END"), STOP) == [Finished("stop", stop_sequence="END")]


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("overloaded_error", Failure.BUSY),
        ("rate_limit_error", Failure.BUSY),
        ("api_error", Failure.SERVER),
        ("timeout_error", Failure.TIMEOUT),
        ("authentication_error", Failure.KEY),
        ("billing_error", Failure.KEY),
        ("permission_error", Failure.KEY),
        ("not_found_error", Failure.MISSING),
        ("invalid_request_error", Failure.REQUEST),
        ("request_too_large", Failure.TOO_LONG),
        ("an error yet to be invented", Failure.BROKEN_OFF),
    ],
)
def test_errors(kind: str, failure: Failure) -> None:
    with pytest.raises(WireError, match="Sorry") as told:
        heard({"type": "error", "error": {"type": kind, "message": "Sorry"}})
    assert told.value.failure is failure


def test_an_answer_without_its_end_has_broken_off() -> None:
    with pytest.raises(WireError) as told:
        heard(start(0, "text", text="half"), ended("end_turn"))
    assert told.value.failure is Failure.BROKEN_OFF
