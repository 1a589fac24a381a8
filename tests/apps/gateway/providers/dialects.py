"""The dialects that providers' servers speak, each in its smallest words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from raylm_apps.gateway.providers.base import ModelCard, Provider
from raylm_apps.gateway.providers.registry import KINDS

KEY = "key-0123456789abcdef"


@dataclass(frozen=True)
class Dialect:
    name: str
    """Of the provider's kind."""
    said: Callable[[str], dict[str, Any]]
    """An event with some text."""
    end: tuple[dict[str, Any], ...]
    unknown: dict[str, Any]
    error: dict[str, Any]
    """An event, its words the key."""
    wrong_key: tuple[int, str]

    @property
    def model(self) -> ModelCard:
        return ModelCard(f"{self.name}/m", "m", self.name, remote_id="m", tools=True)

    def speaker(self, url: str, client: aiohttp.ClientSession) -> Provider:
        return KINDS[self.name].adapter(self.name, url, client, api_key=KEY)


def _google_text(text: str) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]}


def _openai_text(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


def _anthropic_text(text: str) -> dict[str, Any]:
    delta = {"type": "text_delta", "text": text}
    return {"type": "content_block_delta", "index": 0, "delta": delta}


def _response_text(text: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "delta": text}


def _of_chat_completions(kind: str) -> Dialect:
    return Dialect(
        kind,
        _openai_text,
        ({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},),
        {"weather": {"in": "Rome"}},
        {"error": {"message": KEY}},
        (401, f'{{"error": {{"message": "Incorrect API key provided: {KEY}"}}}}'),
    )


DIALECTS = (
    Dialect(
        "google",
        _google_text,
        ({"candidates": [{"finishReason": "STOP"}]},),
        {"weather": {"in": "Rome"}, "candidates": [{"content": {"parts": [{"smell": "rose"}]}}]},
        {"error": {"code": 500, "status": "INTERNAL", "message": KEY}},
        (400, f'{{"error": {{"message": "API key not valid: {KEY}"}}}}'),
    ),
    Dialect(
        "openai-responses",
        _response_text,
        ({"type": "response.completed", "response": {}},),
        {"type": "response.weather", "in": "Rome"},
        {"type": "error", "message": KEY},
        (401, f'{{"error": {{"message": "Incorrect API key provided: {KEY}"}}}}'),
    ),
    Dialect(
        "anthropic",
        _anthropic_text,
        ({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}),
        {"type": "weather", "in": "Rome"},
        {"type": "error", "error": {"type": "api_error", "message": KEY}},
        (401, f'{{"type": "error", "error": {{"message": "invalid x-api-key {KEY}"}}}}'),
    ),
    _of_chat_completions("openai"),
    _of_chat_completions("raylm"),
)
