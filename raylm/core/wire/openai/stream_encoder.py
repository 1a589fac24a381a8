"""Events as OpenAI's chat completions: chunks, or one answer."""

import time
import uuid
from collections.abc import Iterable
from typing import Any

import orjson

from raylm.core.wire.events import (
    Event,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)

REASONS = {"tool-calls": "tool_calls", "content-filter": "content_filter"}
DONE = b"data: [DONE]\n\n"


class ChatStreamEncoder:
    """Of one answer. What OpenAI's format has no place for (sources, signatures) is left out.

    Source: https://platform.openai.com/docs/api-reference/chat-streaming
    """

    def __init__(self, model: str, *, include_usage: bool) -> None:
        self._head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }
        self._include_usage = include_usage
        self._calls: dict[str, int] = {}
        self._has_begun = False

    def encode(self, event: Event) -> bytes:
        """Server-sent events, none where the format has none."""
        match event:
            case TextDelta(text):
                return self._delta({"content": text})
            case ReasoningDelta(text):
                return self._delta({"reasoning_content": text})
            case ToolCallStarted(call_id, name):
                index = self._calls.setdefault(call_id, len(self._calls))
                function = {"name": name, "arguments": ""}
                call = {"index": index, "id": call_id, "type": "function", "function": function}
                return self._delta({"tool_calls": [call]})
            case ToolCallDelta(call_id, text):
                call = {"index": self._calls[call_id], "function": {"arguments": text}}
                return self._delta({"tool_calls": [call]})
            case Finished(reason, usage):
                return self._end(reason, usage)
            case _:
                return b""

    def _end(self, reason: str, usage: Usage | None) -> bytes:
        end = self._delta({}, REASONS.get(reason, reason))
        if self._include_usage and usage is not None:
            end += _frame({**self._head, "choices": [], "usage": usage_dict(usage)})
        return end + DONE

    def _delta(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        if not self._has_begun:
            self._has_begun = True
            delta = {"role": "assistant", "content": "", **delta}
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return _frame({**self._head, "choices": [choice]})


def whole_answer(model: str, events: Iterable[Event]) -> dict[str, Any]:
    """One `chat.completion` of all events of an answer."""
    text, reasoning, calls = "", "", dict[str, dict[str, Any]]()
    end = Finished()
    for event in events:
        match event:
            case TextDelta(piece):
                text += piece
            case ReasoningDelta(piece):
                reasoning += piece
            case ToolCallStarted(call_id, name):
                function = {"name": name, "arguments": ""}
                calls[call_id] = {"id": call_id, "type": "function", "function": function}
            case ToolCallDelta(call_id, piece):
                calls[call_id]["function"]["arguments"] += piece
            case Finished():
                end = event
    message = {
        "role": "assistant",
        "content": text if text or not calls else None,
        "refusal": None,
        **({"reasoning_content": reasoning} if reasoning else {}),
        **({"tool_calls": list(calls.values())} if calls else {}),
    }
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": REASONS.get(end.reason, end.reason),
    }
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        **({"usage": usage_dict(end.usage)} if end.usage else {}),
    }


def usage_dict(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _frame(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
