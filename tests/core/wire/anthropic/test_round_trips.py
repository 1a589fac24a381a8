"""What Anthropic's dialect carries comes out as it went in."""

from dataclasses import replace
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from raylm.core.wire.anthropic.abilities import Abilities
from raylm.core.wire.anthropic.message import whole_message
from raylm.core.wire.anthropic.request_decoder import prompt_of
from raylm.core.wire.anthropic.request_encoder import messages_request
from raylm.core.wire.anthropic.requests import MessagesRequest
from raylm.core.wire.anthropic.stream_decoder import MessageStreamDecoder
from raylm.core.wire.anthropic.stream_encoder import MessageStreamEncoder
from raylm.core.wire.events import Event
from raylm.core.wire.prompt import Effort, NamedTool, Prompt
from tests.core.wire.anthropic.strategies import answers, prompts

PARAMS = TypeAdapter(MessageCreateParamsStreaming)
STREAM_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
SAMPLED = Abilities(adaptive=False, sampled=True)
QUICKLY = settings(max_examples=40, deadline=None)
EFFORTS: list[Effort | None] = [None, "minimal", "low", "medium", "high"]


def through_a_request(prompt: Prompt, abilities: Abilities) -> Prompt:
    request = messages_request(prompt, "claude-x", abilities)
    PARAMS.validate_python(request, strict=True)
    return prompt_of(MessagesRequest.model_validate(request))


@QUICKLY
@given(prompts())
def test_a_prompt_is_what_it_was(prompt: Prompt) -> None:
    assert through_a_request(prompt, SAMPLED) == prompt


@QUICKLY
@given(prompts(), st.sampled_from(EFFORTS[1:]), st.booleans())
def test_so_is_one_that_is_to_be_thought_about(
    prompt: Prompt, effort: Effort, adaptive: bool
) -> None:
    """But for what does not go with thinking."""
    sampling = replace(prompt.sampling, temperature=None, top_k=None)
    prompt = replace(prompt, sampling=sampling, effort=effort)
    is_forced = prompt.tool_choice == "required" or isinstance(prompt.tool_choice, NamedTool)
    expected: Effort | None = "low" if adaptive and effort == "minimal" else effort
    if is_forced and not adaptive:
        expected = None
    abilities = Abilities(adaptive=adaptive, sampled=not adaptive)
    assert through_a_request(prompt, abilities) == replace(prompt, effort=expected)


def with_ids_in_order(events: list[Event]) -> list[Event]:
    """A call's id is ours, new in each step."""
    ids: dict[str, str] = {}
    return [
        replace(event, id=ids.setdefault(event.id, f"call-{len(ids)}"))  # type: ignore[union-attr]
        if hasattr(event, "id")
        else event
        for event in events
    ]


@QUICKLY
@given(answers())
def test_an_answer_is_what_it_was(events: list[Event]) -> None:
    encoder, decoder = MessageStreamEncoder("claude-x"), MessageStreamDecoder()
    chunks = [*encoder.start(), *(chunk for event in events for chunk in encoder.encode(event))]
    for chunk in chunks:
        STREAM_EVENT.validate_python(chunk)
    heard = [event for chunk in chunks for event in decoder.decode(chunk)] + decoder.end()
    assert with_ids_in_order(heard) == with_ids_in_order(events)


@QUICKLY
@given(answers())
def test_blocks_come_one_after_the_other(events: list[Event]) -> None:
    encoder = MessageStreamEncoder("claude-x")
    chunks = [*encoder.start(), *(chunk for event in events for chunk in encoder.encode(event))]
    assert [chunk["type"] for chunk in (chunks[0], *chunks[-2:])] == [
        *("message_start", "message_delta", "message_stop")
    ]
    open_block, blocks = None, 0
    for chunk in chunks[1:-2]:
        match chunk["type"]:
            case "content_block_start":
                assert (open_block, chunk["index"]) == (None, blocks)
                open_block, blocks = chunk["index"], blocks + 1
            case "content_block_delta":
                assert chunk["index"] == open_block
            case kind:
                assert (kind, chunk["index"]) == ("content_block_stop", open_block)
                open_block = None
    assert open_block is None


@QUICKLY
@given(answers())
def test_the_whole_message_is_anthropics(events: list[Event]) -> None:
    encoder = MessageStreamEncoder("claude-x")
    chunks = [*encoder.start(), *(chunk for event in events for chunk in encoder.encode(event))]
    message = Message.model_validate(whole_message(chunks))
    assert message.stop_reason is not None
    assert message.usage.output_tokens == events[-1].usage.output_tokens  # type: ignore[union-attr]


def test_a_wrong_request_fails_the_types() -> None:
    """So that the checks above mean something."""
    with pytest.raises(ValueError, match="max_tokens"):
        PARAMS.validate_python({"model": "m", "messages": [], "stream": True}, strict=True)
    with pytest.raises(ValueError, match="content_block_start"):
        STREAM_EVENT.validate_python({"type": "content_block_started", "index": 0})
