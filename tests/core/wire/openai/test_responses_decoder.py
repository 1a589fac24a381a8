"""Events as OpenAI's own types write them become ours."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from raylm.core.wire.events import (
    Event,
    Finished,
    ReasoningDelta,
    ReasoningSigned,
    Source,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from raylm.core.wire.failure import Failure, WireError
from raylm.core.wire.openai.responses_decoder import ResponsesStreamDecoder
from raylm.core.wire.openai.responses_encoder import responses_request
from raylm.core.wire.prompt import Prompt, Thought, ToolCall, Turn

TYPE: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
NUMBERS: Iterator[int] = itertools.count()
USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
    "output_tokens": 12,
    "output_tokens_details": {"reasoning_tokens": 7},
    "total_tokens": 22,
}


def event(kind: str, **fields: Any) -> dict[str, Any]:
    """Checked by OpenAI's types, by which their client reads it."""
    written = {"type": kind, "sequence_number": next(NUMBERS), **fields}
    TYPE.validate_python(written)
    return written


def delta(kind: str, text: str, index: int = 0, **fields: Any) -> dict[str, Any]:
    return event(kind, delta=text, output_index=index, item_id=f"i{index}", **fields)


def text(text: str) -> dict[str, Any]:
    return delta("response.output_text.delta", text, content_index=0, logprobs=[])


def thought(text: str) -> dict[str, Any]:
    return delta("response.reasoning_summary_text.delta", text, summary_index=0)


def ended(kind: str = "response.completed", **fields: Any) -> dict[str, Any]:
    response = {
        "id": "resp_1",
        "created_at": 1,
        "model": "gpt-5",
        "object": "response",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        **fields,
    }
    return event(kind, response=response)


def begun(index: int, name: str) -> dict[str, Any]:
    item = {"type": "function_call", "call_id": f"x{index}", "name": name, "arguments": ""}
    return event("response.output_item.added", item=item, output_index=index)


def arguments(text: str, index: int) -> dict[str, Any]:
    return delta("response.function_call_arguments.delta", text, index)


def arguments_done(text: str, index: int) -> dict[str, Any]:
    done = {"arguments": text, "output_index": index, "item_id": f"i{index}"}
    return event("response.function_call_arguments.done", name="f", **done)


def reasoned(encrypted: str | None) -> dict[str, Any]:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": encrypted}
    return event("response.output_item.done", item=item, output_index=0)


def events_of(*chunks: dict[str, Any]) -> list[Event]:
    decoder = ResponsesStreamDecoder()
    events = [event for chunk in chunks for event in decoder.decode(chunk)]
    return [*events, *decoder.end()]


def test_thoughts_text_and_usage() -> None:
    part = {"type": "summary_text", "text": ""}
    parts = [
        event(
            "response.reasoning_summary_part.added",
            item_id="i0",
            output_index=0,
            summary_index=number,
            part=part,
        )
        for number in range(2)
    ]
    assert events_of(
        *(parts[0], thought("Hm."), parts[1], thought("Well.")),
        reasoned("secret"),
        *(text("Good "), text("day")),
        ended(usage=USAGE),
    ) == [
        *(ReasoningDelta("Hm."), ReasoningDelta("\n\n"), ReasoningDelta("Well.")),
        ReasoningSigned("rs_1:secret"),
        *(TextDelta("Good "), TextDelta("day")),
        Finished("stop", Usage(10, 12, cached_tokens=4, cache_write_tokens=3, reasoning_tokens=7)),
    ]


def test_a_thought_goes_back_as_it_came() -> None:
    (signed, _) = events_of(reasoned("gAAA:b=="), ended())
    assert isinstance(signed, ReasoningSigned)
    turn = Turn("assistant", "Hi", thoughts=[Thought("", signed.signature)])
    item = responses_request(Prompt([turn]), "gpt-5")["input"][0]
    assert (item["id"], item["encrypted_content"]) == ("rs_1", "gAAA:b==")


def test_a_thought_that_was_not_encrypted_has_no_signature() -> None:
    assert events_of(reasoned(None), ended()) == [Finished("stop")]


def test_parallel_calls_are_put_together() -> None:
    events = events_of(
        *(begun(1, "rain"), begun(2, "wind")),
        *(arguments('{"city"', 1), arguments("{}", 2), arguments(':"Rome"}', 1)),
        *(arguments_done('{"city":"Rome"}', 1), arguments_done("{}", 2)),
        ended(),
    )
    rain, wind = (event for event in events if isinstance(event, ToolCall))
    assert (rain.name, rain.arguments) == ("rain", '{"city":"Rome"}')
    assert (wind.name, wind.arguments) == ("wind", "{}")
    assert rain.id != wind.id
    assert events == [
        *(ToolCallStarted(rain.id, "rain"), ToolCallStarted(wind.id, "wind")),
        ToolCallDelta(rain.id, '{"city"'),
        ToolCallDelta(wind.id, "{}"),
        ToolCallDelta(rain.id, ':"Rome"}'),
        *(rain, wind, Finished("tool-calls")),
    ]


def test_arguments_that_come_in_one_piece() -> None:
    started, piece, call, _ = events_of(begun(0, "rain"), arguments_done("{}", 0), ended())
    assert isinstance(started, ToolCallStarted)
    assert piece == ToolCallDelta(started.id, "{}")
    assert call == ToolCall(started.id, "rain", "{}")


def test_each_page_is_cited_once() -> None:
    page = {"type": "url_citation", "start_index": 0, "end_index": 1, "title": "A"}
    place = {"annotation_index": 0, "content_index": 0, "item_id": "i", "output_index": 0}
    cited = [
        event(
            "response.output_text.annotation.added",
            annotation={**page, "url": f"https://{name}.example"},
            **place,
        )
        for name in "aba"
    ]
    file = {"type": "file_path", "file_id": "f", "index": 0}
    other = event("response.output_text.annotation.added", annotation=file, **place)
    assert events_of(*cited, other, ended())[:-1] == [
        Source("https://a.example", "A"),
        Source("https://b.example", "A"),
    ]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("max_output_tokens", "length"),
        ("content_filter", "content-filter"),
        ("steered", "other"),
    ],
)
def test_why_it_is_incomplete(reason: str, told: str) -> None:
    end = ended("response.incomplete", incomplete_details={"reason": reason}, usage=USAGE)
    (finished,) = events_of(end)
    assert isinstance(finished, Finished)
    assert (finished.reason, finished.usage is not None) == (told, True)


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("rate_limit_exceeded", Failure.BUSY),
        ("server_error", Failure.SERVER),
        ("invalid_prompt", Failure.POLICY),
        ("context_length_exceeded", Failure.TOO_LONG),
        (None, Failure.SERVER),
    ],
)
def test_an_error_within_the_stream(code: str | None, failure: Failure) -> None:
    error = {"code": code, "message": "no luck"}
    nested = {"type": "error", "error": error}
    failed = {"type": "response.failed", "response": {"error": error}}
    for chunk in (event("error", param=None, **error), nested, failed):
        with pytest.raises(WireError, match="no luck") as caught:
            events_of(text("half"), chunk)
        assert caught.value.failure is failure


def test_what_it_does_not_know_is_none_of_its_business() -> None:
    assert events_of({"type": "response.sang"}, ended()) == [Finished("stop")]


def test_an_answer_without_an_end_has_broken_off() -> None:
    with pytest.raises(WireError) as caught:
        events_of(text("half"))
    assert caught.value.failure is Failure.BROKEN_OFF
