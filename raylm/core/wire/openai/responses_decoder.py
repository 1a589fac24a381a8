"""The events of OpenAI's Responses as ours."""

from dataclasses import dataclass, field
from typing import Any

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
    Usage,
)
from raylm.core.wire.failure import Failure, WireError
from raylm.core.wire.openai.reasoning_signature import ReasoningSignature
from raylm.core.wire.prompt import ToolCall
from raylm.core.wire.tool_naming import new_call_id, tool_name

INCOMPLETE: dict[str | None, Reason] = {
    "max_output_tokens": "length",
    "content_filter": "content-filter",
}
FAILURES: dict[str | None, Failure] = {
    "rate_limit_exceeded": Failure.BUSY,
    "server_is_overloaded": Failure.BUSY,
    "insufficient_quota": Failure.KEY,
    "context_length_exceeded": Failure.TOO_LONG,
    "invalid_prompt": Failure.POLICY,  # flagged, that is; malformed ones never get this far
    "bio_policy": Failure.POLICY,
    "misalignment_policy_violation": Failure.POLICY,
    "image_content_policy_violation": Failure.POLICY,
}
Json = dict[str, Any]


@dataclass
class _OpenCall:
    id: str
    name: str
    pieces: list[str] = field(default_factory=list)

    def add(self, text: str) -> list[Event]:
        self.pieces.append(text)
        return [ToolCallDelta(self.id, text)]

    def complete(self, arguments: str) -> list[Event]:
        """Some servers send no pieces."""
        return [] if self.pieces else self.add(arguments)

    @property
    def whole(self) -> ToolCall:
        return ToolCall(self.id, self.name, "".join(self.pieces))


class ResponsesStreamDecoder:
    """Of one answer. Events that it does not know are none of its business.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming
    """

    def __init__(self) -> None:
        self._calls: dict[int, _OpenCall] = {}
        self._sources: set[str] = set()
        self._reason: Reason | None = None
        self._usage: Usage | None = None

    def decode(self, chunk: Json) -> list[Event]:
        """Raises WireError for an error, AttributeError, LookupError or TypeError for an event
        that makes no sense."""
        match chunk["type"]:
            case "response.output_text.delta" | "response.refusal.delta":
                return [TextDelta(chunk["delta"])]
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                return [ReasoningDelta(chunk["delta"])]
            case "response.reasoning_summary_part.added" if chunk["summary_index"] > 0:
                return [ReasoningDelta("\n\n")]
            case "response.output_item.added" if chunk["item"]["type"] == "function_call":
                return self._begin_call(chunk["output_index"], chunk["item"])
            case "response.function_call_arguments.delta":
                return self._calls[chunk["output_index"]].add(chunk["delta"])
            case "response.function_call_arguments.done":
                return self._calls[chunk["output_index"]].complete(chunk["arguments"])
            case "response.output_item.done" if chunk["item"]["type"] == "reasoning":
                return _signed(chunk["item"])
            case "response.output_text.annotation.added":
                return self._cite(chunk.get("annotation") or {})
            case "response.completed":
                self._close("stop", chunk["response"])
            case "response.incomplete":
                details = chunk["response"].get("incomplete_details") or {}
                self._close(INCOMPLETE.get(details.get("reason"), "other"), chunk["response"])
            case "response.failed":
                raise _failure(chunk["response"].get("error") or {})
            case "error":
                raise _failure(chunk.get("error") or chunk)
        return []

    def end(self) -> list[Event]:
        """The whole calls, and the end. Raises WireError where the answer has none."""
        if self._reason is None:
            raise WireError(Failure.BROKEN_OFF, "the stream ended before the response did")
        calls = [call.whole for call in self._calls.values()]
        reason = "tool-calls" if calls and self._reason == "stop" else self._reason
        return [*calls, Finished(reason, self._usage)]

    def _begin_call(self, index: int, item: Json) -> list[Event]:
        call = self._calls[index] = _OpenCall(new_call_id(), tool_name(item["name"]))
        return [ToolCallStarted(call.id, call.name)]

    def _cite(self, annotation: Json) -> list[Event]:
        url = annotation.get("url")
        if annotation.get("type") != "url_citation" or not url or url in self._sources:
            return []
        self._sources.add(url)
        return [Source(url, annotation.get("title") or "")]

    def _close(self, reason: Reason, response: Json) -> None:
        self._reason = reason
        if usage := response.get("usage"):
            self._usage = usage_of(usage)


def _signed(item: Json) -> list[Event]:
    encrypted = item.get("encrypted_content")
    return [ReasoningSigned(str(ReasoningSignature(item["id"], encrypted)))] if encrypted else []


def _failure(error: Json) -> WireError:
    code = error.get("code")
    return WireError(FAILURES.get(code, Failure.SERVER), f"{code}: {error.get('message')}")


def usage_of(usage: Json) -> Usage:
    read = usage.get("input_tokens_details") or {}
    written = usage.get("output_tokens_details") or {}
    return Usage(
        usage.get("input_tokens") or 0,
        usage.get("output_tokens") or 0,
        cached_tokens=read.get("cached_tokens") or 0,
        cache_write_tokens=read.get("cache_write_tokens") or 0,
        reasoning_tokens=written.get("reasoning_tokens") or 0,
    )
