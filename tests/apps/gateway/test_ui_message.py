from itertools import count

import pytest

from raylm.core.wire.events import (
    Event,
    Finished,
    ReasoningDelta,
    ReasoningSigned,
    Source,
    TextDelta,
    ToolCallStarted,
    Usage,
)
from raylm_apps.gateway.generation import Ending
from raylm_apps.gateway.store.messages import Status
from raylm_apps.gateway.tool_parts import Part
from raylm_apps.gateway.ui_message import MessageFold, UiMessageWriter, replay

# Version 5's parts and fields: what every client since ai@5.0.0 accepts.
FIELDS = {
    "start": {"messageId", "messageMetadata"},
    "start-step": set(),
    "text-start": {"id"},
    "text-delta": {"id", "delta"},
    "text-end": {"id"},
    "reasoning-start": {"id"},
    "reasoning-delta": {"id", "delta"},
    "reasoning-end": {"id", "providerMetadata"},
    "source-url": {"sourceId", "url", "title"},
    "data-chat-title": {"data", "transient"},
    "message-metadata": {"messageMetadata"},
    "finish-step": set(),
    "finish": {"messageMetadata"},
    "abort": set(),
    "error": {"errorText"},
}
EVENTS: list[Event] = [
    ReasoningDelta("Let me "),
    ReasoningDelta("think."),
    TextDelta("It is "),
    TextDelta("blue."),
    ReasoningDelta("Really?"),
    TextDelta(" Yes."),
]
SIGNED: list[Event] = [
    ReasoningDelta("Hm."),
    ReasoningSigned("first"),
    ReasoningSigned("secret"),
    TextDelta("It is "),
    Source("https://a.example", "A"),
    Source("https://a.example", "again"),
    Source("javascript:alert(1)", "no page"),
    Source("http://b.example/\x00"),
    TextDelta("blue."),
    ReasoningSigned("last"),
]


def stream(events: list[Event], ending: Ending) -> list[Part]:
    """A second passes with each delta of a thought."""
    writer = UiMessageWriter("answer-1", "google", count().__next__)
    parts = [*writer.start({"status": "streaming"}, "A title"), *writer.start_step()]
    for event in events:
        parts += writer.write(event)
    done = ending.status is Status.COMPLETE
    return [*parts, *(writer.finish_step() if done else writer.close_block()), *ending.parts()]


def fold(parts: list[Part]) -> MessageFold:
    folded = MessageFold()
    for part in parts:
        folded.add(part)
    return folded


ENDINGS = [
    Ending.completed(Finished("length")).having_used(Usage(3, 5)),
    Ending.failed("No luck."),
    Ending(Status.STOPPED),
    Ending(Status.INTERRUPTED),
]


@pytest.mark.parametrize("ending", ENDINGS)
def test_only_what_the_strictest_client_accepts(ending: Ending) -> None:
    for part in stream(EVENTS, ending):
        assert part.keys() <= {"type"} | FIELDS[part["type"]]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_delta_lies_between_its_start_and_its_end(ending: Ending) -> None:
    is_open: set[tuple[str, str]] = set()
    for part in stream(EVENTS, ending):
        kind, _, event = part["type"].partition("-")
        block = (kind, part.get("id", ""))
        if event == "start" and kind in ("text", "reasoning"):
            assert block not in is_open
            is_open.add(block)
        elif event == "delta":
            assert block in is_open
        elif event == "end":
            is_open.remove(block)
    assert not is_open


def test_folding_gives_the_stored_message() -> None:
    folded = fold(stream(EVENTS, ENDINGS[0]))
    assert folded.parts() == [
        {"type": "step-start"},
        {"type": "reasoning", "text": "Let me think.", "providerMetadata": lasting(1000)},
        {"type": "text", "text": "It is blue."},
        {"type": "reasoning", "text": "Really?", "providerMetadata": lasting(0)},
        {"type": "text", "text": " Yes."},
    ]
    assert folded.metadata == {
        "status": "complete",
        "finishReason": "length",
        "usage": {"inputTokens": 3, "outputTokens": 5},
    }


def by_google(signature: str) -> Part:
    return {"google": {"signature": signature}}


def lasting(duration_ms: int) -> Part:
    return {"raylm": {"durationMs": duration_ms}}


def test_signatures_and_sources_are_kept() -> None:
    parts = stream(SIGNED, ENDINGS[0])
    for part in parts:
        assert part.keys() <= {"type"} | FIELDS[part["type"]]
    folded = fold(parts)
    assert folded.parts() == [
        {"type": "step-start"},
        {
            "type": "reasoning",
            "text": "Hm.",
            "providerMetadata": by_google("first") | lasting(0),
        },
        {"type": "reasoning", "text": "", "providerMetadata": by_google("secret")},
        {"type": "text", "text": "It is blue."},
        {
            "type": "source-url",
            "sourceId": "source-1",
            "url": "https://a.example",
            "title": "A",
        },
        {"type": "source-url", "sourceId": "source-2", "url": "http://b.example/"},
        {"type": "reasoning", "text": "", "providerMetadata": by_google("last")},
    ]
    assert fold(replay("answer-1", folded.parts(), folded.metadata)).parts() == folded.parts()


def test_an_answer_that_goes_on_cites_no_page_again() -> None:
    first = fold(stream([Source("https://a.example")], ENDINGS[0])).parts()
    writer = UiMessageWriter("answer-1", "google")
    writer.replay(first)
    assert writer.write(Source("https://a.example")) == []
    (part,) = writer.write(Source("https://b.example"))
    assert part["sourceId"] not in {old.get("sourceId") for old in first}


def test_a_fold_can_be_read_while_it_grows() -> None:
    parts = stream(EVENTS, ENDINGS[0])
    folded = fold(parts[:6])
    before = folded.parts()
    assert before[-1] == {"type": "reasoning", "text": "Let me think."}
    for part in parts[6:]:
        folded.add(part)
    assert before[-1] == {"type": "reasoning", "text": "Let me think."}


def test_a_broken_stream_lacks_the_ends_of_its_open_blocks() -> None:
    parts = stream(EVENTS, ENDINGS[0])
    folded = fold(parts[:6])
    assert folded.closing_parts() == [{"type": "reasoning-end", "id": "1"}]
    assert fold(parts).closing_parts() == []


def test_a_stored_message_streams_again() -> None:
    folded = fold(stream(EVENTS, ENDINGS[0]))
    assert fold(replay("answer-1", folded.parts(), folded.metadata)).parts() == folded.parts()


def test_a_nul_never_reaches_the_database() -> None:
    folded = fold(stream([TextDelta("a\x00b")], ENDINGS[0]))
    assert folded.parts()[-1]["text"] == "ab"


def test_a_step_that_begins_again_voids_nothing_of_the_steps_before() -> None:
    writer = UiMessageWriter("answer-1")
    parts = [*writer.start_step(), *writer.write(TextDelta("First.")), *writer.finish_step()]
    parts += [*writer.start_step(), *writer.write(ReasoningDelta("Hm"))]
    parts += [*writer.write(ToolCallStarted("c", "getWeather")), *writer.reset_step()]
    parts += [*writer.write(TextDelta("Second.")), *writer.finish_step()]
    folded = fold(parts)
    assert folded.parts() == [
        {"type": "step-start"},
        {"type": "text", "text": "First."},
        {"type": "step-start"},
        {"type": "text", "text": "Second."},
    ]
    assert folded.closing_parts() == []
