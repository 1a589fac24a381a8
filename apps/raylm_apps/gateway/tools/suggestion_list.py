"""Suggestions read from a model's words: a JSON list at best, from a small model hardly ever."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from raylm_apps.gateway.wire.base import storable

MAX_TEXT_CHARS = 10_000
MAX_ATTEMPTS = 100
MAX_SUGGESTION_CHARS = 4_000
_ORIGINAL = ("original", "originalText", "originalSentence", "original_text", "sentence", "before")
_SUGGESTED = (
    "suggested",
    "suggestedText",
    "suggestedSentence",
    "suggested_text",
    "suggestion",
    "after",
)
_WHY = ("description", "reason", "explanation", "why")
_decoder = json.JSONDecoder()


@dataclass(frozen=True)
class Change:
    original: str
    suggested: str
    description: str


def changes_in(text: str, document: str) -> list[Change]:
    """The objects of a list that may be unfinished, fenced or talked around, in order.

    Only what changes something that the document says.
    """
    found = (_change(item, document) for item in _objects(text[:MAX_TEXT_CHARS]))
    by_original = {change.original: change for change in found if change is not None}
    return list(by_original.values())


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object, those inside others included."""
    position = -1
    for _ in range(MAX_ATTEMPTS):
        position = text.find("{", position + 1)
        if position < 0:
            return
        try:
            item, _ = _decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            continue
        yield item


def _change(item: dict[str, Any], document: str) -> Change | None:
    original, suggested = _first(item, _ORIGINAL), _first(item, _SUGGESTED)
    if original not in document:
        original = original.strip("\"'“”")
    is_change = original and suggested and original != suggested
    if not is_change or original not in document:
        return None
    return Change(original, suggested, _first(item, _WHY))


def _first(item: dict[str, Any], names: tuple[str, ...]) -> str:
    texts = (item.get(name) for name in names)
    text = next((text for text in texts if isinstance(text, str)), "")
    return storable(text).strip()[:MAX_SUGGESTION_CHARS]
