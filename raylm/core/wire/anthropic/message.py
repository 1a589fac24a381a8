"""What is answered whole: a stream's events as one message, and how long a prompt is."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from raylm.core.wire.anthropic.tool_input import tool_input

Chunk = dict[str, Any]


class TokenCount(BaseModel):
    input_tokens: int


def whole_message(chunks: Iterable[Chunk]) -> dict[str, Any]:
    """Of all events of one answer."""
    message: dict[str, Any] = {}
    arguments: list[str] = []
    for chunk in chunks:
        match chunk["type"]:
            case "message_start":
                message = {**chunk["message"], "content": []}
            case "content_block_start":
                message["content"].append(dict(chunk["content_block"]))
                arguments = []
            case "content_block_delta":
                _add(message["content"][-1], chunk["delta"], arguments)
            case "content_block_stop" if arguments:
                message["content"][-1]["input"] = tool_input("".join(arguments))
            case "message_delta":
                message |= {**chunk["delta"], "usage": chunk["usage"]}
    return message


def _add(block: dict[str, Any], delta: dict[str, Any], arguments: list[str]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "citations_delta":
            block.setdefault("citations", []).append(delta["citation"])
        case "input_json_delta":
            arguments.append(delta["partial_json"])
