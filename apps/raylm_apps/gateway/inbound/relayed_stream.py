"""An answer that goes through as it comes: whole events only, watched but not read."""

import re
from collections.abc import Iterable
from typing import Any

import orjson

from raylm.core.wire.events import Usage
from raylm.core.wire.failure import Failure, WireError
from raylm.core.wire.openai.stream_decoder import usage_of
from raylm_apps.gateway.providers.base import ProviderError
from raylm_apps.gateway.providers.sse import MAX_EVENT_BYTES, SseError

_USAGE = re.compile(rb'"usage":\s*\{')
_FINISH = re.compile(rb'"finish_reason":\s*"')
_BETWEEN = re.compile(rb"\r?\n\r?\n")
_DONE = b"[DONE]"


class RelayedStream:
    """Takes bytes that break anywhere and gives events back, each whole, so that whatever comes
    next (another provider's events, an error) begins between two of them.

    A chunk costs two searches in its bytes; only chunks with usage or an error are parsed.
    """

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._rest = b""
        self._has_finished = False
        self.usage: Usage | None = None

    def feed(self, piece: bytes) -> bytes:
        """Raises WireError for an error among the events, SseError for one without an end."""
        data = self._rest + piece if self._rest else piece
        cut = max(data.rfind(b"\n\n") + 2, data.rfind(b"\r\n\r\n") + 4)
        if cut < 4:
            self._rest = data
            if len(data) > MAX_EVENT_BYTES:
                raise SseError(f"an event of more than {MAX_EVENT_BYTES} bytes")
            return b""
        self._rest = data[cut:]
        return self._watched(data if cut == len(data) else data[:cut])

    def end(self) -> bytes:
        """What came without an empty line behind it. Raises WireError where the end is missing."""
        last = self._watched(self._rest + b"\n\n") if self._rest.strip() else b""
        self._rest = b""
        if not self._has_finished:
            raise WireError(Failure.BROKEN_OFF, "the stream ended without a finish_reason")
        return last

    def _watched(self, events: bytes) -> bytes:
        if _FINISH.search(events) or _DONE in events:
            self._has_finished = True
        if _USAGE.search(events) or b'"error"' in events:
            return self._read(events)
        return events

    def _read(self, events: bytes) -> bytes:
        """Without the chunk of the usage, where the client has not asked for one."""
        kept = []
        for event in _BETWEEN.split(events):
            chunk = _chunk(event)
            if "error" in chunk:
                raise WireError(Failure.BROKEN_OFF, str(chunk["error"]))
            if usage := chunk.get("usage"):
                self.usage = usage_of(usage)
            if event and (self._include_usage or chunk.get("choices") or not chunk):
                kept.append(event + b"\n\n")
        return b"".join(kept)


def text_of(said: Iterable[bytes]) -> str:
    """What a reader has got of an answer. Raises ProviderError where nobody else can go on with
    it: half a tool call, or several answers at once."""
    text = ""
    for event in _BETWEEN.split(b"".join(said)):
        for choice in _chunk(event).get("choices", ()):
            delta = choice.get("delta") or {}
            if delta.get("tool_calls") or choice.get("index"):
                raise ProviderError.of(Failure.BROKEN_OFF, "it had begun with more than text")
            text += delta.get("content") or choice.get("text") or ""
    return text


def _chunk(event: bytes) -> dict[str, Any]:
    """Empty for `[DONE]`, comments and what is none."""
    _, is_data, data = event.partition(b"data:")
    if not is_data or data.strip() == _DONE:
        return {}
    chunk: dict[str, Any] = orjson.loads(data)
    return chunk
