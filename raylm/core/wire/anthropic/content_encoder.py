"""Turns as Anthropic's messages, whose roles alternate and whose contents are blocks."""

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from raylm.core.wire.anthropic.redacted import redacted_data
from raylm.core.wire.anthropic.tool_input import tool_input
from raylm.core.wire.failure import Failure, WireError
from raylm.core.wire.prompt import File, Image, ImageLink, Thought, ToolCall, Turn

Block = dict[str, Any]
MOST_CACHED = 4  # more is refused
_THOUGHTS = ("thinking", "redacted_thinking")


class ContentEncoder:
    """Of one prompt, of whose hints to cache the newest are told."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = turns
        cached = [place for place, turn in enumerate(turns) if turn.cache]
        self._cached = frozenset(cached[-MOST_CACHED:])

    def system(self, *more: str) -> list[Block]:
        told = self._blocks(lambda turn: turn.role == "system")
        return [*(block for _, blocks in told for block in blocks), *map(_text, more)]

    def messages(self) -> list[dict[str, Any]]:
        """Raises WireError for a file that Anthropic does not read."""
        told = self._blocks(lambda turn: turn.role != "system")
        messages = []
        for role, group in groupby(told, lambda pair: _role(pair[0])):
            results_first = sorted(group, key=lambda pair: pair[0].role != "tool")
            content = [block for _, blocks in results_first for block in blocks]
            messages.append({"role": role, "content": content})
        return messages

    def _blocks(self, wanted: Callable[[Turn], bool]) -> Iterable[tuple[Turn, list[Block]]]:
        for place, turn in enumerate(self._turns):
            if wanted(turn) and (blocks := _blocks(turn)):
                yield turn, _marked(blocks) if place in self._cached else blocks


def _role(turn: Turn) -> str:
    return "assistant" if turn.role == "assistant" else "user"


def _blocks(turn: Turn) -> list[Block]:
    if turn.role == "tool":
        return [_result(turn)]
    thoughts = [_thought(thought) for thought in turn.thoughts if thought.signature]
    return [*thoughts, *_said(turn), *map(_call, turn.tool_calls)]


def _said(turn: Turn) -> list[Block]:
    """Pictures come before what is asked about them; blank text is refused."""
    text = [_text(turn.text)] if turn.text.strip() else []
    return [*map(_file, turn.files), *map(_image, turn.images), *text]


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _result(turn: Turn) -> Block:
    content = _said(turn)
    return {
        "type": "tool_result",
        "tool_use_id": _call_id(turn.tool_call_id or ""),
        **({"content": content} if content else {}),
        **({"is_error": True} if turn.is_error else {}),
    }


def _thought(thought: Thought) -> Block:
    data = redacted_data(thought.signature)
    if data is not None:
        return {"type": "redacted_thinking", "data": data}
    return {"type": "thinking", "thinking": thought.text, "signature": thought.signature}


def _call(call: ToolCall) -> Block:
    call_id, arguments = _call_id(call.id), tool_input(call.arguments)
    return {"type": "tool_use", "id": call_id, "name": call.name, "input": arguments}


def _call_id(text: str) -> str:
    """Other providers' ids may have what Anthropic refuses in one."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)


def _image(image: Image | ImageLink) -> Block:
    if isinstance(image, ImageLink):
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    return {"type": "image", "source": _base64(image.media_type, image.data)}


def _file(file: File) -> Block:
    if file.media_type == "application/pdf":
        source = _base64(file.media_type, file.data)
    elif file.media_type.startswith("text/"):
        text = file.data.decode(errors="replace")
        source = {"type": "text", "media_type": "text/plain", "data": text}
    else:
        cause = f"Anthropic reads PDFs and texts, {file.name!r} is {file.media_type}"
        raise WireError(Failure.REQUEST, cause)
    return {"type": "document", "source": source, "title": file.name}


def _base64(media_type: str, data: bytes) -> Block:
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}


def _marked(blocks: list[Block]) -> list[Block]:
    """The last one that can be a mark to cache up to, which no thought can."""
    for place in range(len(blocks) - 1, -1, -1):
        if blocks[place]["type"] not in _THOUGHTS:
            blocks[place]["cache_control"] = {"type": "ephemeral"}
            break
    return blocks
