"""The loop between a model and its tools, from a question to the last word of its answer."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace

import structlog

from raylm.core.wire.events import Continued, Finished, GeneratedFile, Restarted, Usage
from raylm.core.wire.prompt import ToolCall
from raylm_apps.gateway import tool_parts
from raylm_apps.gateway.approval import decided_calls, new_approval_id
from raylm_apps.gateway.conversation import Conversation
from raylm_apps.gateway.provider_metadata import signed_by
from raylm_apps.gateway.providers.base import Provider, ToolsRefusedError
from raylm_apps.gateway.tool_parts import Part
from raylm_apps.gateway.tools.calls import JudgedCall, ReadyCall, RefusedCall, check, judge
from raylm_apps.gateway.tools.registry import Toolbox
from raylm_apps.gateway.tools.running import ToolRun
from raylm_apps.gateway.ui_message import MessageFold, UiMessageWriter, notice_part

TOOL_CALLS = "tool-calls"
logger = structlog.get_logger()


class Answering:
    """Publishes every part; `usage` is the sum over the steps, also of an answer cut short."""

    def __init__(
        self,
        conversation: Conversation,
        provider: Provider,
        toolbox: Toolbox,
        tool_run: ToolRun,
        writer: UiMessageWriter,
        fold: MessageFold,
        publish: Callable[[Iterable[Part]], None],
        *,
        keep_file: Callable[[GeneratedFile], Awaitable[Part]],
        max_tool_steps: int,
        usage: Usage | None = None,
    ) -> None:
        self._conversation = conversation
        self._provider = provider
        self._toolbox = toolbox
        self._tool_run = tool_run
        self._watch = tool_run.watch
        self._writer = writer
        self._fold = fold
        self._publish = publish
        self._keep_file = keep_file
        self._max_tool_steps = max_tool_steps
        self.usage = usage

    async def run(self) -> Finished:
        """Ask, do what the model wants done, tell it, ask again; the last step is without tools.

        Ends early, waiting, where a call needs approval. Raises ProviderError.
        """
        await self._carry_out_decisions()
        while True:
            may_call = self._steps_taken() < self._max_tool_steps
            self._publish(self._writer.start_step())
            finished, calls = await self._ask(may_call=may_call)
            judged = judge(calls, self._toolbox, may_call=may_call)
            self._tell(calls, judged)
            await self._tool_run.run_all(_free(judged))
            waiting = self._request_approvals(judged)
            self._publish(self._writer.finish_step())
            if waiting or not (calls and may_call):
                reason = TOOL_CALLS if calls else finished.reason
                return replace(finished, reason=reason, usage=self.usage)

    async def _ask(self, *, may_call: bool) -> tuple[Finished, list[ToolCall]]:
        """Where the model's server refuses tools, once more without them."""
        try:
            return await self._ask_once(may_call=may_call)
        except ToolsRefusedError as refusal:
            logger.info("asked again without tools", cause=refusal.cause)
            self._conversation, self._toolbox = self._conversation.without_tools(), {}
            self._publish([notice_part("tools-refused", refusal.message)])
            return await self._ask_once(may_call=False)

    async def _ask_once(self, *, may_call: bool) -> tuple[Finished, list[ToolCall]]:
        finished, calls = Finished(), list[ToolCall]()
        prompt = self._conversation.prompt(self._fold.parts(), may_call=may_call)
        async with aclosing(self._provider.stream(self._conversation.model, prompt)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    finished = event
                    self._count(event.usage)
                elif isinstance(event, ToolCall):
                    calls.append(event)
                elif isinstance(event, Restarted | Continued):
                    calls.clear()
                    self._publish(self._change_model(event))
                elif isinstance(event, GeneratedFile):
                    self._publish([await self._keep_file(event)])
                else:
                    self._publish(self._writer.write(event))
        return finished, calls

    def _change_model(self, event: Restarted | Continued) -> list[Part]:
        """Where an answer has broken off, and another model goes on or begins again."""
        if isinstance(event, Restarted):
            return self._writer.reset_step()
        self._publish(self._writer.close_block())
        return self._fold.closing_parts()

    def _tell(self, calls: Sequence[ToolCall], judged: Sequence[JudgedCall]) -> None:
        """What became of the calls' arguments."""
        self._publish(self._writer.close_block())
        provider = self._conversation.model.provider
        for made, call in zip(calls, judged, strict=True):
            signed = signed_by(provider, made.signature)
            match call:
                case ReadyCall():
                    part = tool_parts.input_available(call.id, call.name, call.input, **signed)
                case RefusedCall(call_id, name, raw, reason):
                    self._watch.count(self._known(name), "error")
                    part = tool_parts.input_error(call_id, name, raw, reason, **signed)
            self._publish([part])

    def _request_approvals(self, judged: Sequence[JudgedCall]) -> bool:
        waiting = [call for call in _ready(judged) if call.offered.needs_approval]
        self._publish(tool_parts.approval_request(new_approval_id(), call.id) for call in waiting)
        return bool(waiting)

    async def _carry_out_decisions(self) -> None:
        """Run the calls that the user has just allowed, with the arguments as they are stored."""
        allowed, denied = decided_calls(self._fold.parts())
        for part in denied:
            self._watch.count(self._known(tool_parts.name_of(part)), "denied")
        self._publish(tool_parts.output_denied(part["toolCallId"]) for part in denied)
        judged = [
            check(part["toolCallId"], tool_parts.name_of(part), part["input"], self._toolbox)
            for part in allowed
        ]
        refused = [call for call in judged if isinstance(call, RefusedCall)]
        for call in refused:
            self._watch.count(self._known(call.name), "error")
        self._publish(tool_parts.output_error(call.id, call.reason) for call in refused)
        await self._tool_run.run_all(_ready(judged))

    def _known(self, name: str) -> str | None:
        return name if name in self._toolbox else None

    def _steps_taken(self) -> int:
        return sum(part["type"] == "step-start" for part in self._fold.parts())

    def _count(self, usage: Usage | None) -> None:
        if usage is not None:
            self.usage = usage if self.usage is None else self.usage + usage


def _ready(judged: Sequence[JudgedCall]) -> list[ReadyCall]:
    return [call for call in judged if isinstance(call, ReadyCall)]


def _free(judged: Sequence[JudgedCall]) -> list[ReadyCall]:
    return [call for call in _ready(judged) if not call.offered.needs_approval]
