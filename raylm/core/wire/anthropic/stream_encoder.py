"""Our events as those of Anthropic's stream, whose content blocks come one after the other."""

import uuid
from typing import Any

import orjson

from raylm.core.wire.anthropic.redacted import redacted_data
from raylm.core.wire.events import (
    Event,
    Finished,
    ReasoningDelta,
    ReasoningSigned,
    Restarted,
    Source,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    Usage,
)
from raylm.core.wire.failure import Failure, WireError
from raylm.core.wire.prompt import ToolCall

Chunk = dict[str, Any]
STOP_REASONS = {"length": "max_tokens", "tool-calls": "tool_use", "content-filter": "refusal"}
EMPTY_BLOCKS: dict[str, Chunk] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
}
SERVER_TOOLS = frozenset(
    {
        *("web_search", "web_fetch", "code_execution"),
        *("bash_code_execution", "text_editor_code_execution"),
    }
)


class MessageStreamEncoder:
    """Of one answer.

    Some providers tell of several calls at once. Then what comes beside the open one waits until it
    is whole. Files that a model has made have no place in the protocol.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._index = -1
        self._open = ""
        self._call = ""
        """The id of the call whose block is open."""
        self._is_call_told = False
        self._waiting: list[Event] = []
        self._sources: list[Source] = []

    def start(self) -> list[Chunk]:
        message: Chunk = {
            "id": f"msg_{uuid.uuid4().hex[:24]}",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_view(Usage(0, 0)),  # nobody knows before the end
        }
        return [{"type": "message_start", "message": message}]

    def encode(self, event: Event) -> list[Chunk]:
        """Raises WireError for an answer that begins again when there is already some of it."""
        match event:
            case Finished():
                return self._finish(event)
            case ToolCallDelta(call_id, text) if call_id == self._call:
                self._is_call_told = True
                return [self._delta("input_json_delta", partial_json=text)]
            case ToolCall() if event.id == self._call:
                return self._close_call(event.arguments)
            case _ if self._call:
                self._waiting.append(event)
                return []
        return self._content(event)

    def _content(self, event: Event) -> list[Chunk]:
        match event:
            case TextDelta(text):
                opening = self._opening("text")
                return [*opening, *self._cite(), self._delta("text_delta", text=text)]
            case ReasoningDelta(text):
                opening = self._opening("thinking")
                return [*opening, self._delta("thinking_delta", thinking=text)]
            case ReasoningSigned(signature):
                return self._sign(signature)
            case ToolCallStarted(call_id, name):
                return self._open_call(call_id, name)
            case ToolCall(call_id, name, arguments):
                return [*self._open_call(call_id, name), *self._close_call(arguments)]
            case ToolResult(call_id, name, output) if name in SERVER_TOOLS:
                return self._result(call_id, name, orjson.loads(output))
            case Source():
                self._sources.append(event)
                return self._cite() if self._open == "text" else []
            case Restarted(model) if self._index >= 0:
                raise WireError(Failure.BROKEN_OFF, f"{model} would have to begin again")
        return []

    def _finish(self, finished: Finished) -> list[Chunk]:
        chunks: list[Chunk] = []
        while self._call:
            chunks += self._close_call("")
        if self._sources:
            chunks += [*self._opening("text"), *self._cite()]
        chunks += self._close()
        reason = STOP_REASONS.get(finished.reason, "end_turn")
        if finished.stop_sequence is not None:
            reason = "stop_sequence"
        return [
            *chunks,
            {
                "type": "message_delta",
                "delta": {"stop_reason": reason, "stop_sequence": finished.stop_sequence},
                "usage": usage_view(finished.usage or Usage(0, 0)),
            },
            {"type": "message_stop"},
        ]

    def _open_call(self, call_id: str, name: str) -> list[Chunk]:
        self._call, self._is_call_told = call_id, False
        return [*self._close(), self._start("tool_use", id=call_id, name=name, input={})]

    def _close_call(self, arguments: str) -> list[Chunk]:
        untold = arguments if not self._is_call_told else ""
        told = [self._delta("input_json_delta", partial_json=untold)] if untold else []
        self._call = ""
        waiting, self._waiting = self._waiting, []
        closing = self._close()
        return [*told, *closing, *(chunk for event in waiting for chunk in self.encode(event))]

    def _sign(self, signature: str) -> list[Chunk]:
        data = redacted_data(signature)
        if data is not None:
            return self._whole("redacted_thinking", data=data)
        opening = self._opening("thinking")
        return [*opening, self._delta("signature_delta", signature=signature), *self._close()]

    def _result(self, call_id: str, name: str, content: Any) -> list[Chunk]:
        if isinstance(content, list):
            content = [{**page, "encrypted_content": ""} for page in content]
        call = self._whole("server_tool_use", id=call_id, name=name, input={})
        result = self._whole(f"{name}_tool_result", tool_use_id=call_id, content=content)
        return [*call, *result]

    def _cite(self) -> list[Chunk]:
        sources, self._sources = self._sources, []
        return [self._delta("citations_delta", citation=_citation(source)) for source in sources]

    def _opening(self, kind: str) -> list[Chunk]:
        if self._open == kind:
            return []
        return [*self._close(), self._start(kind, **EMPTY_BLOCKS[kind])]

    def _whole(self, kind: str, **fields: Any) -> list[Chunk]:
        return [*self._close(), self._start(kind, **fields), *self._close()]

    def _start(self, kind: str, **fields: Any) -> Chunk:
        self._index += 1
        self._open = kind
        block = {"type": kind, **fields}
        return {"type": "content_block_start", "index": self._index, "content_block": block}

    def _delta(self, kind: str, **fields: Any) -> Chunk:
        delta = {"type": kind, **fields}
        return {"type": "content_block_delta", "index": self._index, "delta": delta}

    def _close(self) -> list[Chunk]:
        if not self._open:
            return []
        self._open = ""
        return [{"type": "content_block_stop", "index": self._index}]


def usage_view(usage: Usage) -> Chunk:
    read, written = usage.cached_tokens, usage.cache_write_tokens
    thought = {"thinking_tokens": usage.reasoning_tokens}
    return {
        "input_tokens": max(usage.input_tokens - read - written, 0),
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": usage.output_tokens,
        **({"output_tokens_details": thought} if usage.reasoning_tokens else {}),
    }


def as_sse(chunk: Chunk) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (chunk["type"].encode(), orjson.dumps(chunk))


def _citation(source: Source) -> Chunk:
    return {
        "type": "web_search_result_location",
        "url": source.url,
        "title": source.title,
        "cited_text": "",
        "encrypted_index": "",
    }
