from typing import Any

import pytest

from raylm.core.wire.anthropic.message import whole_message
from raylm.core.wire.anthropic.stream_encoder import MessageStreamEncoder, as_sse
from raylm.core.wire.events import (
    Event,
    Finished,
    GeneratedFile,
    ReasoningDelta,
    Restarted,
    Source,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    Usage,
)
from raylm.core.wire.failure import WireError
from raylm.core.wire.prompt import ToolCall


def told(*events: Event) -> list[dict[str, Any]]:
    encoder = MessageStreamEncoder("claude-x")
    return [*encoder.start(), *(chunk for event in events for chunk in encoder.encode(event))]


def content(*events: Event) -> Any:
    return whole_message(told(*events))["content"]


def test_calls_told_of_at_once_are_blocks_one_after_the_other() -> None:
    """OpenAI's servers name them all, and say at the end alone which are whole."""
    events = [
        ToolCallStarted("a", "f"),
        ToolCallStarted("b", "g"),
        ToolCallDelta("b", '{"x":'),
        ToolCallDelta("a", '{"y":2}'),
        ToolCallDelta("b", "1}"),
        TextDelta("Wait."),
        ToolCall("a", "f", '{"y":2}'),
        ToolCall("b", "g", '{"x":1}'),
        Finished("tool-calls"),
    ]
    assert content(*events) == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"y": 2}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {"x": 1}},
        {"type": "text", "text": "Wait."},
    ]
    starts = [c["index"] for c in told(*events) if c["type"] == "content_block_start"]
    assert starts == [0, 1, 2]


def test_calls_that_nobody_has_ended_end_with_the_answer() -> None:
    calls = [ToolCallStarted("a", "f"), ToolCallStarted("b", "g"), ToolCallDelta("b", "{}")]
    blocks = content(*calls, Finished("length"))
    assert [(block["id"], block["input"]) for block in blocks] == [("a", {}), ("b", {})]


def test_a_call_told_as_a_whole() -> None:
    call = ToolCall("a", "f", '{"x":1}')
    assert content(call, Finished("tool-calls"))[0]["input"] == {"x": 1}


def test_sources_are_cited_by_the_text_that_follows() -> None:
    page = Source("https://a.example", "A")
    for events in ([page, TextDelta("So.")], [TextDelta("So."), page]):
        (text,) = content(*events, Finished())
        assert [one["url"] for one in text["citations"]] == ["https://a.example"]
    assert content(page, Finished())[0]["text"] == ""


def test_what_has_no_place_in_the_protocol() -> None:
    strange = ToolResult("a", "file_search", "{}")
    assert content(GeneratedFile("image/png", b"x"), strange, TextDelta("Hi"), Finished()) == [
        {"type": "text", "text": "Hi"}
    ]


def test_thoughts_that_nobody_signed_are_blocks_too() -> None:
    thought, text = content(ReasoningDelta("Hm."), TextDelta("Hi"), Finished())
    assert thought == {"type": "thinking", "thinking": "Hm.", "signature": ""}
    assert text["text"] == "Hi"


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (Finished("stop"), "end_turn"),
        (Finished("length"), "max_tokens"),
        (Finished("tool-calls"), "tool_use"),
        (Finished("content-filter"), "refusal"),
        (Finished("other"), "end_turn"),
        (Finished("stop", stop_sequence="END"), "stop_sequence"),
    ],
)
def test_reasons(end: Finished, reason: str) -> None:
    assert whole_message(told(end))["stop_reason"] == reason


def test_usage_is_told_as_anthropic_counts() -> None:
    usage = whole_message(told(Finished("stop", Usage(113, 9, 100, 10, 4))))["usage"]
    assert usage == {
        "input_tokens": 3,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 10,
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 4},
    }


def test_an_answer_may_begin_again_only_before_its_first_word() -> None:
    assert content(Restarted("m"), TextDelta("Hi"), Finished()) == [{"type": "text", "text": "Hi"}]
    with pytest.raises(WireError, match="begin again"):
        told(TextDelta("Hi"), Restarted("m"))


def test_an_event_on_the_wire() -> None:
    assert as_sse({"type": "message_stop"}) == (
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    )
