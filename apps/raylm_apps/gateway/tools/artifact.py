"""A document in the making, as the page's panel sees it: transient data parts in an answer."""

from collections.abc import Callable
from typing import Any

from raylm_apps.gateway.store.documents import MAX_CHARS, Kind
from raylm_apps.gateway.tools.document_content import readable
from raylm_apps.gateway.wire.base import storable

Emit = Callable[[dict[str, Any]], None]
# Code and tables are shown whole each time. Each showing is an eighth longer than the last, so
# that all together are at most nine times the document, however long it is.
GROWTH = 1 / 8
SMALLEST_GROWTH_CHARS = 80


def show(emit: Emit, name: str, data: Any) -> None:
    emit({"type": f"data-{name}", "data": data, "transient": True})


class Artifact:
    def __init__(self, emit: Emit, document_id: str, title: str, kind: Kind) -> None:
        self._emit = emit
        self._id = document_id
        self._title = title
        self._kind = kind
        self._chunks: list[str] = []
        self._size = 0
        self._shown_size = 0

    @property
    def text(self) -> str:
        """What the model has said so far."""
        return "".join(self._chunks)

    @property
    def is_full(self) -> bool:
        return self._size >= MAX_CHARS

    def open(self) -> None:
        show(self._emit, "kind", self._kind)
        show(self._emit, "id", self._id)
        show(self._emit, "title", self._title)
        show(self._emit, "clear", None)

    def add(self, text: str) -> None:
        text = storable(text)[: MAX_CHARS - self._size]
        if not text:
            return
        self._chunks.append(text)
        self._size += len(text)
        if self._kind == "text":
            show(self._emit, "textDelta", text)
        elif self._size - self._shown_size >= max(self._shown_size * GROWTH, SMALLEST_GROWTH_CHARS):
            self._shown_size = self._size
            self._show_whole(readable(self._kind, self.text))

    def close(self, content: str) -> None:
        """The panel ends with what is stored."""
        if self._kind != "text":
            self._show_whole(content)
        elif content != self.text:
            if self._chunks:
                show(self._emit, "clear", None)
            show(self._emit, "textDelta", content)
        show(self._emit, "finish", None)

    def _show_whole(self, content: str) -> None:
        show(self._emit, f"{self._kind}Delta", content)
