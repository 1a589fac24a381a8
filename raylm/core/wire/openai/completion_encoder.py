"""Events as OpenAI's plain completions: chunks, or one answer."""

import time
import uuid
from collections.abc import Iterable
from typing import Any

import orjson

from raylm.core.wire.events import Event, Finished, TextDelta
from raylm.core.wire.openai.stream_encoder import DONE, REASONS, usage_dict


class CompletionEncoder:
    """Text alone: this format has no place for reasoning or tools.

    Source: https://platform.openai.com/docs/api-reference/completions
    """

    def __init__(self, model: str, *, include_usage: bool) -> None:
        self._head = _head(model)
        self._include_usage = include_usage

    def encode(self, event: Event) -> bytes:
        match event:
            case TextDelta(text):
                return self._frame([_choice(text, None)])
            case Finished(reason, usage):
                end = self._frame([_choice("", REASONS.get(reason, reason))])
                if self._include_usage and usage is not None:
                    end += self._frame([], usage=usage_dict(usage))
                return end + DONE
            case _:
                return b""

    def _frame(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        return b"data: " + orjson.dumps({**self._head, "choices": choices, **more}) + b"\n\n"


def whole_completion(model: str, events: Iterable[Event]) -> dict[str, Any]:
    text, end = "", Finished()
    for event in events:
        match event:
            case TextDelta(piece):
                text += piece
            case Finished():
                end = event
    usage = {"usage": usage_dict(end.usage)} if end.usage else {}
    return {
        **_head(model),
        "choices": [_choice(text, REASONS.get(end.reason, end.reason))],
        **usage,
    }


def _head(model: str) -> dict[str, Any]:
    created = int(time.time())
    return {
        "id": f"cmpl-{uuid.uuid4().hex}",
        "object": "text_completion",
        "created": created,
        "model": model,
    }


def _choice(text: str, reason: str | None) -> dict[str, Any]:
    return {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}
