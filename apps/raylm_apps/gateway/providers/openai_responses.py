"""OpenAI's Responses: what its models think comes with the answer, and goes back to them."""

import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from raylm.core.wire.events import Event
from raylm.core.wire.openai.responses_decoder import ResponsesStreamDecoder
from raylm.core.wire.openai.responses_encoder import responses_request
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.providers.openai import OpenAIProvider

_REASONS = re.compile(r"(o[1-9]|gpt-[5-9]|codex)(?!.*-chat)")


class OpenAIResponsesProvider(OpenAIProvider):
    """The same server, its models and its refusals; other routes, other words."""

    def _answer(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        asked = replace(prompt, sampling=prompt.sampling.over(self._sampling))
        request = responses_request(asked, model.remote_id, reasons=model.reasoning)
        return self._upstream.events("/responses", request, ResponsesStreamDecoder())

    def _card(self, model: dict[str, Any]) -> ModelCard:
        card = super()._card(model)
        return replace(card, reasoning=_REASONS.match(card.remote_id) is not None)
