"""The events of Anthropic's stream as ours."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from raylm.core.wire.anthropic.redacted import as_signature
from raylm.core.wire.events import (
    Event,
    Finished,
    Reason,
    ReasoningDelta,
    ReasoningSigned,
    Source,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    Usage,
)
from raylm.core.wire.failure import Failure, WireError
from raylm.core.wire.prompt import ToolCall
from raylm.core.wire.tool_naming import new_call_id, tool_name

REASONS: dict[str, Reason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool-calls",
    "refusal": "content-filter",
}
FAILURES = {
    "invalid_request_error": Failure.REQUEST,
    "request_too_large": Failure.TOO_LONG,
    "authentication_error": Failure.KEY,
    "billing_error": Failure.KEY,
    "permission_error": Failure.KEY,
    "not_found_error": Failure.MISSING,
    "rate_limit_error": Failure.BUSY,
    "overloaded_error": Failure.BUSY,
    "timeout_error": Failure.TIMEOUT,
    "api_error": Failure.SERVER,
}
_RESULT = "_tool_result"


@dataclass
class _Call:
    id: str
    name: str
    whole_input: dict[str, Any]
    """Of a server that gives the arguments at once."""
    arguments: list[str] = field(default_factory=list)


class MessageStreamDecoder:
    """Of one answer. Events of kinds that are yet to be invented are passed over, as is asked.

    Source: https://platform.claude.com/docs/en/build-with-claude/streaming
    """

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self._results = _ServerResults()
        self._usage: dict[str, Any] = {}
        self._reason: Reason = "other"
        self._stop_sequence: str | None = None
        self._is_whole = False

    def decode(self, chunk: dict[str, Any]) -> list[Event]:
        """Raises WireError for an error, AttributeError, LookupError or TypeError for a chunk
        that makes no sense."""
        match chunk["type"]:
            case "content_block_delta":
                return self._delta(chunk["index"], chunk["delta"])
            case "content_block_start":
                return self._start(chunk["index"], chunk["content_block"])
            case "content_block_stop":
                call = self._calls.pop(chunk["index"], None)
                return _whole(call) if call else []
            case "message_start":
                self._count(chunk["message"].get("usage"))
            case "message_delta":
                self._count(chunk.get("usage"))
                self._end(chunk["delta"])
            case "message_stop":
                self._is_whole = True
            case "error":
                raise _failure(chunk["error"])
        return []

    def end(self) -> list[Event]:
        """Raises WireError where the answer has none."""
        if not self._is_whole:
            raise WireError(Failure.BROKEN_OFF, "the stream ended without a message_stop")
        usage = usage_of(self._usage) if self._usage else None
        return [Finished(self._reason, usage, stop_sequence=self._stop_sequence)]

    def _start(self, index: int, block: dict[str, Any]) -> list[Event]:
        match block["type"]:
            case "text" if text := block.get("text"):
                return [TextDelta(text)]
            case "thinking" if thinking := block.get("thinking"):
                return [ReasoningDelta(thinking)]
            case "redacted_thinking":
                return [ReasoningSigned(as_signature(block["data"]))]
            case "tool_use":
                call = _Call(new_call_id(), tool_name(block["name"]), block.get("input") or {})
                self._calls[index] = call
                return [ToolCallStarted(call.id, call.name)]
            case str(kind) if kind.endswith(_RESULT):
                return self._results.add(kind.removesuffix(_RESULT), block["content"])
        return []

    def _delta(self, index: int, delta: dict[str, Any]) -> list[Event]:
        match delta["type"]:
            case "text_delta":
                return [TextDelta(delta["text"])] if delta["text"] else []
            case "thinking_delta":
                return [ReasoningDelta(delta["thinking"])] if delta["thinking"] else []
            case "signature_delta":
                return [ReasoningSigned(delta["signature"])] if delta["signature"] else []
            case "input_json_delta" if text := delta["partial_json"]:
                call = self._calls.get(index)
                if call is None:  # of a tool that the provider runs itself
                    return []
                call.arguments.append(text)
                return [ToolCallDelta(call.id, text)]
            case "citations_delta":
                return self._results.cite(delta["citation"])
        return []

    def _count(self, usage: dict[str, Any] | None) -> None:
        """Counts are sums from the beginning; what an event leaves out has not changed."""
        told = usage or {}
        self._usage |= {name: count for name, count in told.items() if count is not None}

    def _end(self, delta: dict[str, Any]) -> None:
        if reason := delta.get("stop_reason"):
            self._reason = REASONS.get(reason, "other")
        self._stop_sequence = delta.get("stop_sequence") or self._stop_sequence


class _ServerResults:
    """What tools of the provider have found; each page is told once."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def add(self, name: str, content: Any) -> list[Event]:
        """`encrypted_content`, a page each, is for nobody but Anthropic, and left out."""
        found = content if isinstance(content, list) else [content]
        readable = [
            {name: value for name, value in one.items() if name != "encrypted_content"}
            for one in found
        ]
        output = orjson.dumps(readable if isinstance(content, list) else readable[0]).decode()
        sources = [event for one in found for event in self.cite(one)]
        return [ToolResult(new_call_id(), tool_name(name), output), *sources]

    def cite(self, place: dict[str, Any]) -> list[Event]:
        """Places in the prompt's own documents have no address."""
        url = place.get("url")
        if not url or url in self._told:
            return []
        self._told.add(url)
        return [Source(url, place.get("title") or "")]


def usage_of(usage: dict[str, Any]) -> Usage:
    """Anthropic counts what was read from a cache, or written to one, beside the input."""
    read = usage.get("cache_read_input_tokens") or 0
    written = usage.get("cache_creation_input_tokens") or 0
    details = usage.get("output_tokens_details") or {}
    return Usage(
        (usage.get("input_tokens") or 0) + read + written,
        usage.get("output_tokens") or 0,
        cached_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=details.get("thinking_tokens") or 0,
    )


def _whole(call: _Call) -> list[Event]:
    if call.arguments:
        return [ToolCall(call.id, call.name, "".join(call.arguments))]
    text = orjson.dumps(call.whole_input).decode()
    return [ToolCallDelta(call.id, text), ToolCall(call.id, call.name, text)]


def _failure(error: dict[str, Any]) -> WireError:
    kind = error.get("type")
    return WireError(FAILURES.get(str(kind), Failure.BROKEN_OFF), f"{kind}: {error.get('message')}")
