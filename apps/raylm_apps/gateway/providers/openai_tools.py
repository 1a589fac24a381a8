"""Messages and tools in the chat completions format: what is told, called and answered."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from raylm_apps.gateway.providers.base import (
    Event,
    Prompt,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    Turn,
    new_call_id,
    tool_name,
)


def tools_of(prompt: Prompt) -> dict[str, Any]:
    if not prompt.tools:
        return {}
    return {
        "tools": [_function(vars(tool)) for tool in prompt.tools],
        "tool_choice": prompt.tool_choice,
    }


def message_of(turn: Turn) -> dict[str, Any]:
    if turn.role == "tool":
        return {"role": "tool", "tool_call_id": turn.tool_call_id, "content": turn.text}
    if not turn.tool_calls:
        return {"role": turn.role, "content": _content(turn)}
    calls = [
        {"id": call.id, **_function({"name": call.name, "arguments": call.arguments})}
        for call in turn.tool_calls
    ]
    return {"role": turn.role, "content": turn.text or None, "tool_calls": calls}


def _content(turn: Turn) -> str | list[dict[str, Any]]:
    if not turn.images:
        return turn.text
    text = [{"type": "text", "text": turn.text}] if turn.text else []
    return [
        *text,
        *({"type": "image_url", "image_url": {"url": image.data_url}} for image in turn.images),
    ]


def _function(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": fields}


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
