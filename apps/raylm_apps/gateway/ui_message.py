"""AI SDK UI messages: parts on the wire, and their fold into a stored message.

The dialect is the one that `ai` 5.0.60, 6 and 7 all accept: only version 5's part types and
fields, so the finish reason travels in the metadata.
"""

from typing import Any

from raylm_apps.gateway.providers.base import Event, Finished, ReasoningDelta, TextDelta

Part = dict[str, Any]
_STREAMED = {"text-start": "text", "reasoning-start": "reasoning"}


class UiMessageWriter:
    """Turns a provider's events into parts that obey the client's rules of order."""

    def __init__(self, message_id: str) -> None:
        self._message_id = message_id
        self._open_kind: str | None = None
        self._blocks = 0

    def start(self, metadata: dict[str, Any], title: str | None) -> list[Part]:
        parts: list[Part] = [
            {"type": "start", "messageId": self._message_id, "messageMetadata": metadata}
        ]
        if title is not None:
            parts.append({"type": "data-chat-title", "data": title, "transient": True})
        return [*parts, {"type": "start-step"}]

    def write(self, event: Event) -> list[Part]:
        match event:
            case TextDelta(text):
                return self._delta("text", text)
            case ReasoningDelta(text):
                return self._delta("reasoning", text)
            case Finished():
                return []

    def close_block(self) -> list[Part]:
        if self._open_kind is None:
            return []
        end = {"type": f"{self._open_kind}-end", "id": str(self._blocks)}
        self._open_kind = None
        return [end]

    def _delta(self, kind: str, text: str) -> list[Part]:
        parts = [] if kind == self._open_kind else self._switch(kind)
        # PostgreSQL's jsonb cannot hold a NUL
        return [
            *parts,
            {"type": f"{kind}-delta", "id": str(self._blocks), "delta": text.replace("\x00", "")},
        ]

    def _switch(self, kind: str) -> list[Part]:
        closing = self.close_block()
        self._open_kind = kind
        self._blocks += 1
        return [*closing, {"type": f"{kind}-start", "id": str(self._blocks)}]


def finish_parts(metadata: dict[str, Any]) -> list[Part]:
    return [{"type": "finish-step"}, {"type": "finish", "messageMetadata": metadata}]


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

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}
        self._parts: list[Part] = []
        self._open: dict[str, tuple[str, list[str]]] = {}

    def add(self, part: Part) -> None:
        kind = part["type"]
        if kind in _STREAMED:
            chunks: list[str] = []
            self._open[part["id"]] = (_STREAMED[kind], chunks)
            self._parts.append({"type": _STREAMED[kind], "text": chunks})
        elif kind in ("text-delta", "reasoning-delta"):
            self._open[part["id"]][1].append(part["delta"])
        elif kind in ("text-end", "reasoning-end"):
            del self._open[part["id"]]
        elif kind == "start-step":
            self._parts.append({"type": "step-start"})
        elif kind == "finish-step":
            self._open.clear()
        self.metadata.update(part.get("messageMetadata", {}))

    def parts(self) -> list[Part]:
        return [
            {**part, "text": "".join(part["text"])} if "text" in part else part
            for part in self._parts
        ]

    def closing_parts(self) -> list[Part]:
        """The ends that the open blocks still lack."""
        return [{"type": f"{kind}-end", "id": block} for block, (kind, _) in self._open.items()]


def replay(message_id: str, parts: list[Part], metadata: dict[str, Any]) -> list[Part]:
    """A stored message as a stream, for a client that asks for an answer it has already got."""
    writer = UiMessageWriter(message_id)
    stream = writer.start(metadata, None)
    for part in parts:
        if part["type"] == "text":
            stream += [*writer.write(TextDelta(part["text"])), *writer.close_block()]
        elif part["type"] == "reasoning":
            stream += [*writer.write(ReasoningDelta(part["text"])), *writer.close_block()]
    return [*stream, *finish_parts(metadata)]
