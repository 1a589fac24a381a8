import pytest

from raylm_apps.gateway import tool_parts
from raylm_apps.gateway.tool_parts import Part
from raylm_apps.gateway.ui_message import NOT_FINISHED, MessageFold, UiMessageWriter, settled

# Version 5's fields of the parts that every client gets.
FIELDS = {
    "tool-input-start": {"toolCallId", "toolName"},
    "tool-input-delta": {"toolCallId", "inputTextDelta"},
    "tool-input-available": {"toolCallId", "toolName", "input", "providerMetadata"},
    "tool-input-error": {"toolCallId", "toolName", "input", "errorText", "providerMetadata"},
    "tool-output-available": {"toolCallId", "output", "preliminary"},
    "tool-output-error": {"toolCallId", "errorText"},
}
START = tool_parts.input_start("c1", "getWeather")
AVAILABLE = tool_parts.input_available("c1", "getWeather", {"city": "Paris"})
REQUEST = tool_parts.approval_request("a1", "c1")
HALF = tool_parts.output_available("c1", 50, preliminary=True)
WHOLE = tool_parts.output_available("c1", {"degrees": 11})
ERROR = tool_parts.output_error("c1", "no")
DENIED = tool_parts.output_denied("c1")
SIGNED = {"providerMetadata": {"google": {"signature": "s"}}}
SIGNED_CALL = tool_parts.input_available("c1", "getWeather", {"city": "Paris"}, **SIGNED)
SIGNED_NONSENSE = tool_parts.input_error("c1", "getWeather", "{bad", "not JSON", **SIGNED)
STREAMS = {
    "whole": [START, tool_parts.input_delta("c1", "{"), AVAILABLE, HALF, WHOLE],
    "error": [START, AVAILABLE, ERROR],
    "unreadable": [START, tool_parts.input_error("c1", "getWeather", "{bad", "not JSON")],
    "waiting": [START, AVAILABLE, REQUEST],
    "allowed": [AVAILABLE, REQUEST, WHOLE],
    "denied": [AVAILABLE, REQUEST, DENIED],
}


def fold(events: list[Part]) -> list[Part]:
    folded = MessageFold()
    for event in ({"type": "start-step"}, *events):
        folded.add(event)
    return folded.parts()


SIGNED_STREAMS = {
    "whole": [START, SIGNED_CALL, HALF, WHOLE],
    "unreadable": [START, SIGNED_NONSENSE],
    "denied": [START, SIGNED_CALL, REQUEST, DENIED],
}


@pytest.mark.parametrize("name", SIGNED_STREAMS)
def test_the_signature_of_a_call_stays_with_it(name: str) -> None:
    stored = fold(SIGNED_STREAMS[name])
    assert stored[1]["callProviderMetadata"] == SIGNED["providerMetadata"]
    assert fold(UiMessageWriter("m").replay(stored)[1:]) == stored


@pytest.mark.parametrize("name", ["whole", "error", "unreadable"])
def test_only_what_the_strictest_client_accepts(name: str) -> None:
    for part in (*STREAMS[name], *SIGNED_STREAMS.get(name, ())):
        assert part.keys() <= {"type"} | FIELDS[part["type"]]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stored_call_streams_again(name: str) -> None:
    stored = fold(STREAMS[name])
    replayed = UiMessageWriter("m").replay(stored)
    assert fold(replayed[1:]) == stored


def test_what_is_stored_of_a_call() -> None:
    call = {"type": "tool-getWeather", "toolCallId": "c1"}
    given = {**call, "input": {"city": "Paris"}}
    assert [fold(STREAMS[name])[1] for name in STREAMS] == [
        {**given, "state": "output-available", "output": {"degrees": 11}},
        {**given, "state": "output-error", "errorText": "no"},
        {**call, "state": "output-error", "rawInput": "{bad", "errorText": "not JSON"},
        {**given, "state": "approval-requested", "approval": {"id": "a1"}},
        {
            **given,
            "state": "output-available",
            "output": {"degrees": 11},
            "approval": {"id": "a1", "approved": True},
        },
        {**given, "state": "output-denied", "approval": {"id": "a1", "approved": False}},
    ]


@pytest.mark.parametrize("events", [[START], [AVAILABLE], [AVAILABLE, HALF]])
def test_no_call_stays_pending_for_ever(events: list[Part]) -> None:
    folded = MessageFold(fold(events))
    for end in folded.closing_parts():
        folded.add(end)
    assert folded.parts() == settled(fold(events))
    call = folded.parts()[1]
    assert (call["state"], call["errorText"]) == ("output-error", NOT_FINISHED)
    assert "output" not in call
    assert folded.closing_parts() == []


@pytest.mark.parametrize("name", STREAMS)
def test_calls_that_have_ended_or_wait_for_a_person_stay(name: str) -> None:
    assert settled(fold(STREAMS[name])) == fold(STREAMS[name])


def test_a_snapshot_stays_as_it_was() -> None:
    folded = MessageFold()
    folded.add(AVAILABLE)
    before = folded.parts()
    folded.add(WHOLE)
    assert before[0]["state"] == "input-available"


def test_data_parts_are_kept_unless_they_are_transient() -> None:
    first = {"type": "data-document", "id": "d1", "data": 1}
    other = {"type": "data-document", "id": "d2", "data": 2}
    passing = {"type": "data-document", "data": 3, "transient": True}
    newer = {**first, "data": 4}
    stored = fold([first, other, passing, newer])
    assert stored[1:] == [newer, other]
    assert fold(UiMessageWriter("m").replay(stored)[1:]) == stored
