"""One answer's loop, in process, with tools and models that misbehave."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import BaseModel, ConfigDict

from raylm.core.wire.events import (
    Event,
    Finished,
    GeneratedFile,
    ReasoningSigned,
    TextDelta,
    ToolCallStarted,
    Usage,
)
from raylm.core.wire.prompt import Prompt, Thought, ToolCall
from raylm_apps.gateway.answering import Answering
from raylm_apps.gateway.conversation import Conversation
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.store.messages import Message, Status
from raylm_apps.gateway.tool_parts import Part, is_call
from raylm_apps.gateway.tools.base import ToolContext, ToolError
from raylm_apps.gateway.tools.calls import MAX_CALLS_PER_STEP, NO_MORE
from raylm_apps.gateway.tools.registry import Registry
from raylm_apps.gateway.tools.running import TIDY_UP_S, ToolRun
from raylm_apps.gateway.tools.watching import UNKNOWN, ToolWatch
from raylm_apps.gateway.tracing import Tracing
from raylm_apps.gateway.ui_message import MessageFold, UiMessageWriter, file_part

CARD = ModelCard("mock/tools", "tools", "mock", tools=True)
Behaviour = Callable[[ToolContext], Awaitable[Any]]


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


class Odd:
    name = "odd"
    description = "Does as the test wants."
    arguments = Anything
    needs_approval = False
    timeout_s = 0.2

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave

    async def run(self, arguments: Anything, context: ToolContext) -> Any:
        return await self._behave(context)


class Caller:
    """A model that calls with these arguments in every step, even where it must not."""

    name = "mock"

    def __init__(
        self, arguments: str = "{}", calls: int = 1, steps: int = 1, tool: str = "odd"
    ) -> None:
        self.prompts: list[Prompt] = []
        self._arguments, self._calls, self._steps = arguments, calls, steps
        self._tool = tool

    async def models(self) -> list[ModelCard]:
        return [CARD]

    async def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        self.prompts.append(prompt)
        if len(self.prompts) > self._steps:
            yield TextDelta("Done.")
        else:
            for number in range(self._calls):
                call_id = f"c{len(self.prompts)}-{number}"
                yield ToolCallStarted(call_id, self._tool)
                yield ToolCall(call_id, self._tool, self._arguments)
        yield Finished("stop", Usage(10, 1))


class Answer:
    """What was published of an answer, and the loop that writes it."""

    def __init__(
        self, behave: Behaviour, model: Caller | None = None, max_chars: int = 100
    ) -> None:
        self.parts: list[Part] = []
        self.fold = MessageFold()
        self.model = model or Caller()
        question = Message(
            "c",
            "q",
            None,
            "user",
            Status.COMPLETE,
            None,
            datetime.now(UTC),
            [{"type": "text", "text": "Do it."}],
        )
        toolbox = Registry([Odd(behave)]).toolbox(CARD, approvals=False)
        definitions = [offered.definition for offered in toolbox.values()]
        self.registry = CollectorRegistry()
        watch = ToolWatch(self.registry, Tracing())
        self.loop = Answering(
            Conversation([question], CARD, "u", 100, definitions),
            self.model,
            toolbox,
            ToolRun("u", "c", "m", self.model, CARD, self.publish, max_chars, watch),
            UiMessageWriter("m", CARD.provider),
            self.fold,
            self.publish,
            keep_file=self.keep,
            max_tool_steps=3,
        )

    async def keep(self, made: GeneratedFile) -> Part:
        return file_part(made.media_type, f"/api/files/{made.data.hex()}")

    def publish(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self.parts.append(part)
            self.fold.add(part)

    @property
    def calls(self) -> list[Part]:
        return [part for part in self.fold.parts() if is_call(part)]

    def counted(self, tool: str, outcome: str) -> float:
        labels = {"tool": tool, "outcome": outcome}
        return self.registry.get_sample_value("raylm_tool_calls_total", labels) or 0.0

    def timed(self, tool: str) -> float:
        return self.registry.get_sample_value("raylm_tool_seconds_count", {"tool": tool}) or 0.0

    async def call(self) -> Part:
        async with asyncio.timeout(10):
            await self.loop.run()
        (call,) = self.calls
        return call


def raising(error: Exception) -> Behaviour:
    async def behave(context: ToolContext) -> Any:
        raise error

    return behave


def giving(result: Any) -> Behaviour:
    async def behave(context: ToolContext) -> Any:
        return result

    return behave


async def never_ends(context: ToolContext) -> Any:
    await asyncio.Event().wait()


async def cancels_itself(context: ToolContext) -> Any:
    raise asyncio.CancelledError


async def will_not_stop(context: ToolContext) -> Any:
    for _ in range(20):
        try:
            await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            context.show("still here")


@pytest.mark.parametrize(
    ("behave", "error"),
    [
        (raising(ToolError("The disk is full.\x00")), "The disk is full."),
        (raising(RuntimeError("password=hunter2")), "The tool failed."),
        (raising(ToolError("x" * 5_000)), "x" * 2_000),
        (giving(object()), "The tool failed."),
        (giving({1: "a key that is no string"}), "The tool failed."),
        (giving("\ud800"), "The tool failed."),
        (never_ends, "odd did not finish within 0.2 s."),
        (cancels_itself, "odd did not finish within 0.2 s."),
    ],
)
async def test_a_tool_that_fails_tells_what_may_be_told(behave: Behaviour, error: str) -> None:
    call = await Answer(behave).call()
    assert (call["state"], call["errorText"]) == ("output-error", error)


async def test_a_tool_that_will_not_stop_is_left_behind() -> None:
    answer, started = Answer(will_not_stop), time.monotonic()
    call = await answer.call()
    assert time.monotonic() - started < 0.2 + TIDY_UP_S + 1.5
    assert call["state"] == "output-error"
    published = len(answer.parts)
    await asyncio.sleep(0.3)
    assert len(answer.parts) == published


@pytest.mark.parametrize(
    ("result", "output"),
    [
        (None, None),
        ("a\x00b", "ab"),
        ({"a\x00": ["\x00"]}, {"a": [""]}),
        (math.nan, None),
        (Anything(x=1), {"x": 1}),
        ("y" * 101, {"beginning": "y" * 100, "omittedChars": 1}),
        (["z" * 100], {"beginning": '["' + "z" * 98, "omittedChars": 4}),
    ],
)
async def test_what_becomes_of_a_result(result: Any, output: Any) -> None:
    call = await Answer(giving(result)).call()
    assert (call["state"], call["output"]) == ("output-available", output)


async def test_a_result_nested_without_end_fails_alone() -> None:
    nested: Any = []
    for _ in range(200):
        nested = [nested]
    assert (await Answer(giving(nested)).call())["errorText"] == "The tool failed."


@pytest.mark.parametrize(
    "arguments",
    ["[" * 600 + "]" * 600, '{"a":' * 300 + "1" + "}" * 300, '{"a": "\\ud800"}', "\x00"],
)
async def test_arguments_that_cannot_be_kept_are_refused(arguments: str) -> None:
    call = await Answer(giving(1), Caller(arguments)).call()
    assert call["state"] == "output-error"
    assert "cannot be read" in call["errorText"]


async def test_what_a_tool_shows_while_it_runs() -> None:
    async def behave(context: ToolContext) -> Any:
        context.show("half")
        context.emit({"type": "data-id", "data": "d1", "transient": True})
        with pytest.raises(ValueError, match="data-"):
            context.emit({"type": "text-delta", "id": "1", "delta": "x"})
        return f"{context.user_id} {context.chat_id} {context.message_id}"

    answer = Answer(behave)
    assert (await answer.call())["output"] == "u c m"
    kinds = [part["type"] for part in answer.parts]
    assert kinds[3:6] == ["tool-output-available", "data-id", "tool-output-available"]
    assert answer.parts[3]["preliminary"] is True


async def test_a_model_that_calls_for_ever_is_told_when_to_stop() -> None:
    model = Caller(steps=100)
    answer = Answer(giving(1), model)
    finished = await answer.loop.run()
    assert [prompt.tool_choice for prompt in model.prompts] == ["auto"] * 3 + ["none"]
    assert [call["state"] for call in answer.calls] == ["output-available"] * 3 + ["output-error"]
    assert answer.calls[-1]["errorText"] == NO_MORE
    assert finished == Finished("tool-calls", Usage(40, 4))
    assert model.prompts[-1].turns[-1].text == "1"


async def test_a_model_that_calls_too_much_at_once() -> None:
    answer = Answer(giving(1), Caller(calls=MAX_CALLS_PER_STEP + 2))
    await answer.loop.run()
    states = [call["state"] for call in answer.calls]
    assert states == ["output-available"] * MAX_CALLS_PER_STEP + ["output-error"] * 2


async def test_stopping_cancels_what_runs() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def behave(context: ToolContext) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    answer = Answer(behave)
    running = asyncio.create_task(answer.loop.run())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert cancelled.is_set()
    assert (answer.counted("odd", "stopped"), answer.timed("odd")) == (1, 1)


@pytest.mark.parametrize(
    ("behave", "outcome"),
    [
        (giving(1), "ok"),
        (raising(ToolError("The disk is full.")), "error"),
        (raising(RuntimeError("no")), "error"),
        (giving(object()), "error"),
        (never_ends, "timeout"),
    ],
)
async def test_a_call_is_counted_by_its_end(behave: Behaviour, outcome: str) -> None:
    answer = Answer(behave, Caller(calls=2))
    await answer.loop.run()
    assert (answer.counted("odd", outcome), answer.timed("odd")) == (2, 2)


async def test_a_call_that_never_runs_is_counted_and_not_timed() -> None:
    answer = Answer(giving(1), Caller("[]"))
    await answer.call()
    assert (answer.counted("odd", "error"), answer.timed("odd")) == (1, 0)


async def test_tools_that_a_model_invents_are_one_label() -> None:
    answer = Answer(giving(1), Caller(tool="invented"))
    await answer.call()
    assert answer.counted(UNKNOWN, "error") == 1
    assert b"invented" not in generate_latest(answer.registry)


class Signer(Caller):
    """It draws first, and signs its thought and its call."""

    async def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        self.prompts.append(prompt)
        if len(self.prompts) == 1:
            yield GeneratedFile("image/png", b"dot")
            yield ReasoningSigned("thought")
            yield ToolCallStarted("c1", self._tool)
            yield ToolCall("c1", self._tool, self._arguments, "call")
        yield Finished("stop", None)


@pytest.mark.parametrize("arguments", ["{}", "{bad"])
async def test_signatures_are_back_in_the_next_step(arguments: str) -> None:
    answer = Answer(nothing, Signer(arguments))
    async with asyncio.timeout(10):
        await answer.loop.run()
    turn = answer.model.prompts[1].turns[1]
    assert turn.thoughts == (Thought("", "thought"),)
    assert [call.signature for call in turn.tool_calls] == ["call"]
    assert file_part("image/png", "/api/files/646f74") in answer.fold.parts()


async def nothing(context: ToolContext) -> str:
    return "done"
