"""Chunks as Google's own types write them become events."""

import base64
import json
from typing import Any

import pytest
from google.genai import types

from raylm.core.wire.events import (
    Event,
    Finished,
    GeneratedFile,
    ReasoningDelta,
    ReasoningSigned,
    Source,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from raylm.core.wire.failure import Failure, WireError
from raylm.core.wire.google.stream_decoder import GenerateStreamDecoder
from raylm.core.wire.prompt import ToolCall

SIGNED = b"\xfb\xff signed"  # in which the alphabets of base64 differ


def chunk(*parts: types.Part, reason: str | None = None, **fields: Any) -> dict[str, Any]:
    candidate = types.Candidate(
        content=types.Content(role="model", parts=list(parts)),
        finish_reason=types.FinishReason(reason) if reason else None,
        grounding_metadata=fields.pop("grounding", None),
    )
    response = types.GenerateContentResponse(candidates=[candidate], **fields)
    text = response.model_dump_json(by_alias=True, exclude_none=True)
    decoded: dict[str, Any] = json.loads(text)
    return decoded


def events_of(*chunks: dict[str, Any]) -> list[Event]:
    decoder = GenerateStreamDecoder()
    events = [event for chunk in chunks for event in decoder.decode(chunk)]
    return [*events, *decoder.end()]


def text(text: str) -> types.Part:
    return types.Part(text=text)


def test_thoughts_text_and_usage() -> None:
    usage = types.GenerateContentResponseUsageMetadata(
        prompt_token_count=10,
        tool_use_prompt_token_count=2,
        candidates_token_count=5,
        thoughts_token_count=7,
        cached_content_token_count=4,
    )
    signature = base64.urlsafe_b64encode(SIGNED).decode()
    assert events_of(
        chunk(types.Part(text="Hm.", thought=True)),
        chunk(text("Good ")),
        chunk(text("day")),
        chunk(types.Part(text="", thought_signature=SIGNED), reason="STOP", usage_metadata=usage),
    ) == [
        ReasoningDelta("Hm."),
        TextDelta("Good "),
        TextDelta("day"),
        ReasoningSigned(signature),
        Finished("stop", Usage(12, 12, cached_tokens=4, reasoning_tokens=7)),
    ]


def test_calls_come_whole_each_with_an_id_of_ours() -> None:
    call = types.FunctionCall(name="rain", args={"city": "Rome"})
    events = events_of(
        chunk(types.Part(function_call=call, thought_signature=SIGNED)),
        chunk(types.Part(function_call=types.FunctionCall(name="wind")), reason="STOP"),
    )
    rain, wind = (event for event in events if isinstance(event, ToolCall))
    assert (rain.name, json.loads(rain.arguments)) == ("rain", {"city": "Rome"})
    assert base64.urlsafe_b64decode(rain.signature) == SIGNED
    assert (wind.name, wind.arguments, wind.signature) == ("wind", "{}", "")
    assert rain.id != wind.id
    assert events[:3] == [
        ToolCallStarted(rain.id, "rain"),
        ToolCallDelta(rain.id, rain.arguments),
        rain,
    ]
    assert events[-1] == Finished("tool-calls")


def test_each_source_is_told_once() -> None:
    pages = [
        types.GroundingChunk(web=types.GroundingChunkWeb(uri=uri, title=title))
        for uri, title in (("https://a.example", "A"), ("https://b.example", None))
    ]
    first = types.GroundingMetadata(grounding_chunks=pages[:1])
    both = types.GroundingMetadata(grounding_chunks=pages)
    events = events_of(
        chunk(text("a"), grounding=first), chunk(text("b"), reason="STOP", grounding=both)
    )
    assert [event for event in events if isinstance(event, Source)] == [
        Source("https://a.example", "A"),
        Source("https://b.example"),
    ]


def test_a_picture_but_none_of_those_it_tried_before() -> None:
    data = bytes(range(256))
    blob = types.Blob(mime_type="image/png", data=data)
    events = events_of(
        chunk(types.Part(inline_data=blob, thought=True)),
        chunk(types.Part(inline_data=blob), reason="STOP"),
    )
    assert events == [GeneratedFile("image/png", data), Finished("stop")]
    standard = chunk(types.Part(inline_data=blob), reason="STOP")
    part = standard["candidates"][0]["content"]["parts"][0]
    part["inlineData"]["data"] = base64.b64encode(data).decode()
    assert events_of(standard)[0] == GeneratedFile("image/png", data)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content-filter"),
        ("PROHIBITED_CONTENT", "content-filter"),
        ("IMAGE_SAFETY", "content-filter"),
        ("MALFORMED_FUNCTION_CALL", "error"),
        ("LANGUAGE", "other"),
    ],
)
def test_why_it_ends(reason: str, told: str) -> None:
    assert events_of(chunk(text("x"), reason=reason))[-1] == Finished(told)


def test_a_reason_that_nobody_knows_yet() -> None:
    assert events_of({"candidates": [{"finishReason": "NEW"}]}) == [Finished("other")]


def test_a_prompt_that_is_blocked() -> None:
    feedback = types.GenerateContentResponsePromptFeedback(
        block_reason=types.BlockedReason.PROHIBITED_CONTENT
    )
    response = types.GenerateContentResponse(prompt_feedback=feedback)
    blocked = json.loads(response.model_dump_json(by_alias=True, exclude_none=True))
    with pytest.raises(WireError, match="PROHIBITED_CONTENT") as caught:
        events_of(blocked)
    assert caught.value.failure is Failure.POLICY


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        ("UNAVAILABLE", Failure.BUSY),
        ("RESOURCE_EXHAUSTED", Failure.BUSY),
        ("INTERNAL", Failure.SERVER),
        ("PERMISSION_DENIED", Failure.KEY),
        (None, Failure.SERVER),
    ],
)
def test_an_error_within_the_stream(status: str | None, failure: Failure) -> None:
    with pytest.raises(WireError, match="overloaded") as caught:
        events_of({"error": {"code": 503, "message": "overloaded", "status": status}})
    assert caught.value.failure is failure


def test_an_answer_without_an_end_has_broken_off() -> None:
    with pytest.raises(WireError, match="finishReason") as caught:
        events_of(chunk(text("half")))
    assert caught.value.failure is Failure.BROKEN_OFF
