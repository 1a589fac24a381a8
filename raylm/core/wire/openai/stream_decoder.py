"""The chunks of OpenAI's chat completions as events."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from raylm.core.wire.events import (
    Event,
    Finished,
    Reason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from raylm.core.wire.failure import Failure, WireError
from raylm.core.wire.prompt import ToolCall
from raylm.core.wire.tool_naming import new_call_id, tool_name

REASONS: dict[str, Reason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool-calls",
    "function_call": "tool-calls",
    "content_filter": "content-filter",
}


class ChatStreamDecoder:
    """Of one answer.

    Source: https://platform.openai.com/docs/api-reference/chat-streaming
    """

    def __init__(self) -> None:
        self._calls = ToolCallStream()
        self._reason: Reason | None = None
        self._usage: Usage | None = None

    def decode(self, chunk: dict[str, Any]) -> list[Event]:
        """Raises WireError for an error, AttributeError, LookupError or TypeError for a chunk
        that makes no sense."""
        if "error" in chunk:
            raise WireError(Failure.BROKEN_OFF, str(chunk["error"]))
        events: list[Event] = []
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            if reasoning := delta.get("reasoning_content") or delta.get("reasoning"):
                events.append(ReasoningDelta(reasoning))
            if text := delta.get("content") or delta.get("refusal"):
                events.append(TextDelta(text))
            for piece in delta.get("tool_calls") or ():
                events += self._calls.add(piece)
            if reason := choice.get("finish_reason"):
                self._reason = REASONS.get(reason, "other")
        if usage := chunk.get("usage"):
            self._usage = usage_of(usage)
        return events

    def end(self) -> list[Event]:
        """The whole calls, and the end. Raises WireError where the answer has none."""
        if self._reason is None:
            raise WireError(Failure.BROKEN_OFF, "the stream ended without a finish_reason")
        return [*self._calls.whole(), Finished(self._reason, self._usage)]


def usage_of(usage: dict[str, Any]) -> Usage:
    details = usage.get("prompt_tokens_details") or {}
    written = usage.get("completion_tokens_details") or {}
    return Usage(
        usage.get("prompt_tokens") or 0,
        usage.get("completion_tokens") or 0,
        cached_tokens=details.get("cached_tokens") or 0,
        reasoning_tokens=written.get("reasoning_tokens") or 0,
    )


@dataclass
class _OpenCall:
    id: str
    name: str
    index: int | None
    remote_id: str | None
    arguments: list[str] = field(default_factory=list)


class ToolCallStream:
    """The calls of one answer, gathered from pieces that belong together by their index.

    Some servers leave the index out, or give every call the same one and only the id differs.
    """

    def __init__(self) -> None:
        self._calls: list[_OpenCall] = []

    def add(self, piece: dict[str, Any]) -> list[Event]:
        """Raises LookupError or TypeError for a piece that makes no sense."""
        function, events = piece.get("function") or {}, list[Event]()
        call = self._find(piece.get("index"), piece.get("id"))
        if call is None:
            name = tool_name(function["name"])
            call = _OpenCall(new_call_id(), name, piece.get("index"), piece.get("id"))
            self._calls.append(call)
            events.append(ToolCallStarted(call.id, call.name))
        if text := function.get("arguments"):
            text = text if isinstance(text, str) else orjson.dumps(text).decode()
            call.arguments.append(text)
            events.append(ToolCallDelta(call.id, text))
        return events

    def whole(self) -> Sequence[ToolCall]:
        return [ToolCall(call.id, call.name, "".join(call.arguments)) for call in self._calls]

    def _find(self, index: int | None, remote_id: str | None) -> _OpenCall | None:
        for call in reversed(self._calls):
            if index is None or call.index == index:
                return call if not remote_id or remote_id == call.remote_id else None
        return None
