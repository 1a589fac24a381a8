"""Anthropic's messages API, or a server that speaks it, over one pooled aiohttp client."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import aiohttp

from raylm.core.wire.anthropic.abilities import Abilities, abilities_by_name, abilities_of
from raylm.core.wire.anthropic.request_encoder import (
    VERSION,
    count_request,
    messages_request,
    version_of,
)
from raylm.core.wire.anthropic.stream_decoder import MessageStreamDecoder
from raylm.core.wire.events import Event
from raylm.core.wire.failure import Failure, WireError
from raylm.core.wire.prompt import Prompt, Sampling
from raylm_apps.gateway.providers.base import ModelCard, ProviderError
from raylm_apps.gateway.providers.upstream import Upstream

PAGE = 1_000
MOST_PAGES = 20
Encode = Callable[[Prompt, str, Abilities], dict[str, Any]]


class AnthropicProvider:
    def __init__(
        self,
        name: str,
        base_url: str,
        client: aiohttp.ClientSession,
        *,
        api_key: str | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        """`base_url` is as Anthropic's own clients have it: without `/v1`."""
        self.name = name
        address = f"{base_url.rstrip('/').removesuffix('/v1')}/v1"
        key = {"x-api-key": api_key} if api_key else {}
        self._upstream = Upstream(client, address, {**key, "anthropic-version": VERSION})
        self._sampling = sampling or Sampling()
        self._abilities: dict[str, Abilities] = {}

    async def models(self) -> Sequence[ModelCard]:
        listed = await self._listed()
        try:
            cards = [self._card(model) for model in listed]
            self._abilities = {model["id"]: abilities_of(model) for model in listed}
        except (AttributeError, LookupError, TypeError) as error:
            raise _strange(error) from error
        return cards

    async def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        asked = replace(prompt, sampling=prompt.sampling.over(self._sampling))
        request = self._encoded(messages_request, model, asked)
        version = {"anthropic-version": version_of(request)}
        events = self._upstream.events("/messages", request, MessageStreamDecoder(), version)
        async with aclosing(events):
            async for event in events:
                yield event

    async def count_tokens(self, model: ModelCard, prompt: Prompt) -> int:
        request = self._encoded(count_request, model, prompt)
        answer = await self._upstream.post("/messages/count_tokens", request)
        try:
            return int(answer["input_tokens"])
        except (LookupError, TypeError, ValueError) as error:
            raise ProviderError.of(Failure.SERVER, f"a strange count: {error!r}") from error

    def _encoded(self, encode: Encode, model: ModelCard, prompt: Prompt) -> dict[str, Any]:
        """Raises ProviderError for what Anthropic does not take."""
        name = model.remote_id
        abilities = self._abilities.get(name) or abilities_by_name(name)
        try:
            return encode(prompt, name, abilities)
        except WireError as error:
            raise ProviderError.of(error.failure, error.cause) from error

    async def _listed(self) -> list[dict[str, Any]]:
        models: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            page = await self._upstream.get("/models", limit=str(PAGE), **after)
            try:
                models += page["data"]
                if not page.get("has_more"):
                    return models
                after = {"after_id": page["last_id"]}
            except (AttributeError, LookupError, TypeError) as error:
                raise _strange(error) from error
        return models

    def _card(self, model: dict[str, Any]) -> ModelCard:
        told = model.get("capabilities") or {}
        return ModelCard(
            f"{self.name}/{model['id']}",
            model.get("display_name") or model["id"],
            self.name,
            reasoning=abilities_of(model).thinks,
            tools=True,
            vision=told.get("image_input", {}).get("supported", True),
            context_tokens=model.get("max_input_tokens"),
            remote_id=model["id"],
        )


def _strange(error: Exception) -> ProviderError:
    return ProviderError.of(Failure.UNREACHABLE, f"a strange model list: {error!r}")
