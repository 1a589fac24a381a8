"""AI SDK UI messages: parts on the wire, and their fold into a stored message.

The dialect is the one that `ai` 5.0.60, 6 and 7 all accept: only version 5's part types and
fields, so the finish reason travels in the metadata.
"""

import time
from collections.abc import Callable
from typing import Any

from raylm.core.wire.events import (
    Event,
    ReasoningDelta,
    ReasoningSigned,
    Source,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from raylm_apps.gateway import tool_parts
from raylm_apps.gateway.provider_metadata import signed_by
from raylm_apps.gateway.thinking_time import ThinkingTime, timed
from raylm_apps.gateway.tool_parts import Part

NOT_FINISHED = "This call was not finished."
_STREAMED = {"text-start": "text", "reasoning-start": "reasoning"}


class UiMessageWriter:
    """Turns a provider's events into parts that obey the client's rules of order."""

    def __init__(
        self, message_id: str, provider: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._message_id = message_id
        self._provider = provider
        self._thinking = ThinkingTime(clock)
        self._open_kind: str | None = None
        self._blocks = 0
        self._sources: set[str] = set()

    def start(self, metadata: dict[str, Any], title: str | None) -> list[Part]:
        parts: list[Part] = [
            {"type": "start", "messageId": self._message_id, "messageMetadata": metadata}
        ]
        return parts if title is None else [*parts, title_part(title)]

    def write(self, event: Event) -> list[Part]:
        match event:
            case TextDelta(text):
                return self._delta("text", text)
            case ReasoningDelta(text):
                parts = self._delta("reasoning", text)
                self._thinking.note()
                return parts
            case ReasoningSigned(signature):
                opening = [] if self._open_kind == "reasoning" else self._switch("reasoning")
                return [*opening, *self.close_block(signed_by(self._provider, signature))]
            case Source(url, title):
                return self._source(_without_nul(url), _without_nul(title))
            case ToolCallStarted(call_id, name):
                return [*self.close_block(), tool_parts.input_start(call_id, name)]
            case ToolCallDelta(call_id, text):
                return [tool_parts.input_delta(call_id, _without_nul(text))]
            case _:
                return []

    def start_step(self) -> list[Part]:
        return [{"type": "start-step"}]

    def finish_step(self) -> list[Part]:
        return [*self.close_block(), {"type": "finish-step"}]

    def reset_step(self) -> list[Part]:
        """Void what the step has so far; version 7 alone knows it."""
        self._open_kind = None
        self._thinking.take_ms()
        return [{"type": "reset-step"}]

    def replay(self, parts: list[Part]) -> list[Part]:
        """Stored parts as a stream, step by step."""
        stream: list[Part] = []
        for number, part in enumerate(parts):
            if part["type"] == "step-start":
                stream += [*(self.finish_step() if number else []), *self.start_step()]
            elif part["type"] in ("text", "reasoning"):
                end = {name: part[name] for name in ("providerMetadata",) if name in part}
                stream += [*self._delta(part["type"], part["text"]), *self.close_block(end)]
            elif tool_parts.is_call(part):
                stream += tool_parts.replayed(part)
            else:
                self._sources.add(part.get("url", ""))
                stream.append(part)
        return [*stream, *self.finish_step()] if parts else []

    def close_block(self, metadata: Part | None = None) -> list[Part]:
        if self._open_kind is None:
            return []
        metadata = timed(metadata or {}, self._thinking.take_ms())
        end = {"type": f"{self._open_kind}-end", "id": str(self._blocks), **metadata}
        self._open_kind = None
        return [end]

    def _source(self, url: str, title: str) -> list[Part]:
        """Each page once, and only what a browser may open."""
        if url in self._sources or not url.startswith(("https://", "http://")):
            return []
        self._sources.add(url)
        source = {"type": "source-url", "sourceId": f"source-{len(self._sources)}", "url": url}
        return [{**source, "title": title} if title else source]

    def _delta(self, kind: str, text: str) -> list[Part]:
        parts = [] if kind == self._open_kind else self._switch(kind)
        delta = {"type": f"{kind}-delta", "id": str(self._blocks), "delta": _without_nul(text)}
        return [*parts, delta]

    def _switch(self, kind: str) -> list[Part]:
        closing = self.close_block()
        self._open_kind = kind
        self._blocks += 1
        return [*closing, {"type": f"{kind}-start", "id": str(self._blocks)}]


def _without_nul(text: str) -> str:
    return text.replace("\x00", "")  # which PostgreSQL's jsonb cannot hold


def title_part(title: str) -> Part:
    return {"type": "data-chat-title", "data": title, "transient": True}


def notice_part(kind: str, text: str) -> Part:
    """What the user should know about an answer beside what it says; kept with it, once a kind."""
    return {"type": "data-notice", "id": kind, "data": {"kind": kind, "text": text}}


def file_part(media_type: str, url: str) -> Part:
    return {"type": "file", "mediaType": media_type, "url": url}


def finish_parts(metadata: dict[str, Any]) -> list[Part]:
    return [{"type": "finish", "messageMetadata": metadata}]


def abort_parts(metadata: dict[str, Any]) -> list[Part]:
    """For an answer that was stopped or interrupted; what there is of it stands."""
    return [{"type": "message-metadata", "messageMetadata": metadata}, {"type": "abort"}]


def error_parts(metadata: dict[str, Any], text: str) -> list[Part]:
    return [
        {"type": "message-metadata", "messageMetadata": metadata},
        {"type": "error", "errorText": text},
    ]


class MessageFold:
    """Parts of the wire folded into the parts and the metadata of a message."""

    def __init__(self, parts: list[Part] | None = None) -> None:
        self.metadata: dict[str, Any] = {}
        self._parts: list[Part] = list(parts or ())
        self._open: dict[str, Part] = {}

    def add(self, part: Part) -> None:
        kind = part["type"]
        if kind in _STREAMED:
            self._open[part["id"]] = {"type": _STREAMED[kind], "text": []}
            self._parts.append(self._open[part["id"]])
        elif kind in ("text-delta", "reasoning-delta"):
            self._open[part["id"]]["text"].append(part["delta"])
        elif kind in ("text-end", "reasoning-end"):
            ended = self._open.pop(part["id"])
            if "providerMetadata" in part:
                ended["providerMetadata"] = part["providerMetadata"]
        elif kind in ("source-url", "file"):
            self._parts.append(part)
        elif kind == "start-step":
            self._parts.append({"type": "step-start"})
        elif kind == "finish-step":
            self._open.clear()
        elif kind == "reset-step":
            self._open.clear()
            del self._parts[self._step_start() + 1 :]
        elif tool_parts.is_call(part):
            stored = self._place("toolCallId", part["toolCallId"])
            self._put(
                stored, tool_parts.folded({} if stored is None else self._parts[stored], part)
            )
        elif kind.startswith("data-") and not part.get("transient"):
            same_id = self._place("id", part["id"], kind) if "id" in part else None
            self._put(same_id, part)
        self.metadata.update(part.get("messageMetadata", {}))

    def parts(self) -> list[Part]:
        return [
            {**part, "text": "".join(part["text"])} if isinstance(part.get("text"), list) else part
            for part in self._parts
        ]

    def closing_parts(self) -> list[Part]:
        """The ends that open blocks lack, and errors for the calls that will have no result."""
        ends = [{"type": f"{part['type']}-end", "id": id_} for id_, part in self._open.items()]
        return [*ends, *_errors(self._parts)]

    def _place(self, key: str, value: str, kind: str | None = None) -> int | None:
        """Where the part is that an event changes; the newest are looked at first."""
        for place in range(len(self._parts) - 1, -1, -1):
            part = self._parts[place]
            if part.get(key) == value and kind in (None, part["type"]):
                return place
        return None

    def _step_start(self) -> int:
        """Where the newest step begins; -1 before the first."""
        place = self._place("type", "step-start")
        return -1 if place is None else place

    def _put(self, place: int | None, part: Part) -> None:
        if place is None:
            self._parts.append(part)
        else:
            self._parts[place] = part


def settled(parts: list[Part]) -> list[Part]:
    """The parts of a message that nobody works on any more: no call is pending for ever."""
    fold = MessageFold(parts)
    for error in _errors(parts):
        fold.add(error)
    return fold.parts()


def _errors(parts: list[Part]) -> list[Part]:
    calls = [part for part in parts if tool_parts.is_call(part)]
    ends = [tool_parts.unfinished(call, NOT_FINISHED) for call in calls]
    return [end for end in ends if end is not None]


def replay(message_id: str, parts: list[Part], metadata: dict[str, Any]) -> list[Part]:
    """A stored message as a stream, for a client that asks for an answer it has already got."""
    writer = UiMessageWriter(message_id)
    return [*writer.start(metadata, None), *writer.replay(parts), *finish_parts(metadata)]
