"""The chunks of Google's streamGenerateContent as events."""

import base64
from collections.abc import Iterator
from typing import Any

import orjson

from raylm.core.wire.events import (
    Event,
    Finished,
    GeneratedFile,
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
from raylm.core.wire.prompt import ToolCall
from raylm.core.wire.tool_naming import new_call_id, tool_name

_STANDARD = str.maketrans("-_", "+/")
_FILTERED = (
    *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"),
    *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
)
REASONS: dict[str, Reason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "MALFORMED_FUNCTION_CALL": "error",
    "MALFORMED_RESPONSE": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    **dict.fromkeys(_FILTERED, "content-filter"),
}
FAILURES = {
    "RESOURCE_EXHAUSTED": Failure.BUSY,
    "UNAVAILABLE": Failure.BUSY,
    "DEADLINE_EXCEEDED": Failure.TIMEOUT,
    "PERMISSION_DENIED": Failure.KEY,
    "UNAUTHENTICATED": Failure.KEY,
    "NOT_FOUND": Failure.MISSING,
    "INVALID_ARGUMENT": Failure.REQUEST,
}


class GenerateStreamDecoder:
    """Of one answer.

    Source: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
    """

    def __init__(self) -> None:
        self._reason: Reason | None = None
        self._usage: Usage | None = None
        self._sources: set[str] = set()
        self._has_called = False

    def decode(self, chunk: dict[str, Any]) -> list[Event]:
        """Raises WireError for an error and for a prompt that is blocked, AttributeError,
        LookupError, TypeError or ValueError for a chunk that makes no sense."""
        if error := chunk.get("error"):
            failure = FAILURES.get(error.get("status"), Failure.SERVER)
            raise WireError(failure, str(error))
        if blocked := (chunk.get("promptFeedback") or {}).get("blockReason"):
            raise WireError(Failure.POLICY, f"the prompt is blocked: {blocked}")
        if usage := chunk.get("usageMetadata"):
            self._usage = usage_of(usage)
        events: list[Event] = []
        for candidate in chunk.get("candidates") or ():
            for part in (candidate.get("content") or {}).get("parts") or ():
                events += self._part(part)
            events += self._new_sources(candidate.get("groundingMetadata") or {})
            if reason := candidate.get("finishReason"):
                self._reason = REASONS.get(reason, "other")
        return events

    def end(self) -> list[Event]:
        """Raises WireError where the answer has no end."""
        if self._reason is None:
            raise WireError(Failure.BROKEN_OFF, "the stream ended without a finishReason")
        called = self._has_called and self._reason == "stop"
        return [Finished("tool-calls" if called else self._reason, self._usage)]

    def _part(self, part: dict[str, Any]) -> Iterator[Event]:
        signature = part.get("thoughtSignature") or ""
        if call := part.get("functionCall"):
            yield from self._call(call, signature)
            return
        if text := part.get("text"):
            yield ReasoningDelta(text) if part.get("thought") else TextDelta(text)
        elif (data := part.get("inlineData")) and not part.get("thought"):
            yield GeneratedFile(data["mimeType"], _bytes(data["data"]))
        if signature:
            yield ReasoningSigned(signature)

    def _call(self, call: dict[str, Any], signature: str) -> Iterator[Event]:
        """A call comes whole."""
        self._has_called = True
        call_id, name = new_call_id(), tool_name(call["name"])
        arguments = orjson.dumps(call.get("args") or {}).decode()
        yield ToolCallStarted(call_id, name)
        yield ToolCallDelta(call_id, arguments)
        yield ToolCall(call_id, name, arguments, signature)

    def _new_sources(self, grounding: dict[str, Any]) -> Iterator[Event]:
        """Each chunk repeats those of the chunks before it."""
        for chunk in grounding.get("groundingChunks") or ():
            page = chunk.get("web") or chunk.get("retrievedContext") or {}
            if (url := page.get("uri")) and url not in self._sources:
                self._sources.add(url)
                yield Source(url, page.get("title") or "")


def _bytes(data: str) -> bytes:
    """Of either alphabet, as in all JSON that stands for protobuf."""
    return base64.b64decode(data.translate(_STANDARD), validate=True)


def usage_of(usage: dict[str, Any]) -> Usage:
    """Google counts thoughts beside the answer, and what it fetched beside the prompt."""
    thoughts = usage.get("thoughtsTokenCount") or 0
    return Usage(
        (usage.get("promptTokenCount") or 0) + (usage.get("toolUsePromptTokenCount") or 0),
        (usage.get("candidatesTokenCount") or 0) + thoughts,
        cached_tokens=usage.get("cachedContentTokenCount") or 0,
        reasoning_tokens=thoughts,
    )
