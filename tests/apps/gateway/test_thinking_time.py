import pytest

from raylm.core.wire.events import ReasoningDelta, ReasoningSigned, TextDelta
from raylm_apps.gateway.thinking_time import ThinkingTime, timed
from raylm_apps.gateway.tool_parts import Part
from raylm_apps.gateway.ui_message import UiMessageWriter
from tests.apps.gateway.harness import User


class Clock:
    def __init__(self) -> None:
        self.now_s = 10.0

    def __call__(self) -> float:
        return self.now_s


def test_from_the_first_delta_to_the_last() -> None:
    clock = Clock()
    thinking = ThinkingTime(clock)
    assert thinking.take_ms() is None
    for now_s in (11.0, 12.0, 13.5):
        clock.now_s = now_s
        thinking.note()
    clock.now_s = 99.0
    assert thinking.take_ms() == 2500
    assert thinking.take_ms() is None
    thinking.note()
    assert thinking.take_ms() == 0


def test_what_others_keep_with_a_thought_stays() -> None:
    signed: Part = {"providerMetadata": {"google": {"signature": "s"}, "raylm": {"more": 1}}}
    assert timed(signed, 7)["providerMetadata"] == {
        "google": {"signature": "s"},
        "raylm": {"more": 1, "durationMs": 7},
    }
    assert timed(signed, None) == signed


def test_each_thought_has_its_own_time() -> None:
    clock = Clock()
    writer = UiMessageWriter("answer-1", "google", clock)
    ends: list[Part] = []

    def write(now_s: float, event: ReasoningDelta | ReasoningSigned | TextDelta) -> None:
        clock.now_s = now_s
        ends.extend(p for p in writer.write(event) if p["type"] in ("reasoning-end", "text-end"))

    write(1, ReasoningDelta("Hm"))
    write(3, ReasoningDelta("."))
    write(8, TextDelta("Blue."))
    write(9, ReasoningDelta("Or"))
    write(9.5, ReasoningDelta("?"))
    write(20, ReasoningSigned("s"))
    write(21, ReasoningDelta("void"))
    writer.reset_step()
    write(22, TextDelta("Yes."))
    ends += writer.close_block()
    assert [end.get("providerMetadata") for end in ends] == [
        {"raylm": {"durationMs": 2000}},
        None,
        {"google": {"signature": "s"}, "raylm": {"durationMs": 500}},
        None,
    ]


@pytest.mark.services
def test_the_stored_message_and_the_export_have_it(ada: User, chat: str) -> None:
    ada.ask("Why is it blue?", chat=chat, model="mock/reasoning")
    (thought,) = (part for part in ada.messages(chat)[-1]["parts"] if part["type"] == "reasoning")
    duration_ms = thought["providerMetadata"]["raylm"]["durationMs"]
    assert isinstance(duration_ms, int)
    assert duration_ms >= 0
    assert f'"durationMs":{duration_ms}' in ada.http.get("/api/account/export").text
