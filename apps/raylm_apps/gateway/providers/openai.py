"""Any OpenAI-compatible server, our own engine among them, over one pooled aiohttp client."""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import aiohttp

from raylm.core.wire.events import Event
from raylm.core.wire.failure import Failure
from raylm.core.wire.openai.request_encoder import chat_request
from raylm.core.wire.openai.stream_decoder import ChatStreamDecoder
from raylm.core.wire.prompt import Prompt, Sampling
from raylm_apps.gateway.providers.base import ModelCard, ProviderError
from raylm_apps.gateway.providers.tool_refusals import ToolRefusals
from raylm_apps.gateway.providers.upstream import Upstream

SAMPLED = ("/chat/completions", "/completions")
_NO_CHAT = re.compile(
    r"whisper|tts|dall-e|image|moderation|realtime|transcribe|audio|sora|search|instruct"
)

_VISION = re.compile(r"(chatgpt-4o|gpt-4o|gpt-4\.1|gpt-4-turbo|gpt-5|o1|o3|o4)\b")


class OpenAIProvider:
    def __init__(
        self,
        name: str,
        base_url: str,
        client: aiohttp.ClientSession,
        *,
        api_key: str | None = None,
        sampling: Sampling | None = None,
        is_ours: bool | None = None,
    ) -> None:
        """By default the one called `raylm` is our own engine."""
        self.name = name
        self._is_ours = name == "raylm" if is_ours is None else is_ours
        authorization = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._upstream = Upstream(client, base_url, authorization)
        self._sampling = sampling or Sampling()
        self._refusals = ToolRefusals()

    async def models(self) -> Sequence[ModelCard]:
        listed = await self._upstream.get("/models")
        try:
            return [self._card(model) for model in listed["data"] if _is_offered(model)]
        except (AttributeError, LookupError, TypeError) as error:
            cause = f"a strange model list: {error!r}"
            raise ProviderError.of(Failure.UNREACHABLE, cause) from error

    def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        return self._refusals.watched(model, prompt, self._answer(model, prompt))

    def _answer(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        return self._upstream.events(
            "/chat/completions",
            self._request(model, prompt),
            ChatStreamDecoder(),
            self._affinity(prompt),
        )

    async def relay(
        self, model: ModelCard, path: str, body: Mapping[str, Any]
    ) -> AsyncGenerator[bytes, None]:
        defaults = self._sampling.to_dict() if path in SAMPLED else {}
        asked = {**defaults, **body, "model": model.remote_id}
        async with self._upstream.opened(path, asked) as response:
            async for piece in response.content.iter_any():
                yield piece

    def _card(self, model: dict[str, Any]) -> ModelCard:
        remote_id = model["id"]
        own_id = remote_id if remote_id.startswith(f"{self.name}/") else f"{self.name}/{remote_id}"
        return ModelCard(
            own_id,
            own_id.removeprefix(f"{self.name}/"),
            self.name,
            # our engine says so when a template has tools; of others' models nobody tells
            tools=model.get("tools", not self._is_ours),
            vision=_sees_images(model),
            chat_template=model.get("chat_template", True),
            context_tokens=model.get("max_model_len"),
            remote_id=remote_id,
            embeds=_embeds(model),
        )

    def _request(self, model: ModelCard, prompt: Prompt) -> dict[str, Any]:
        asked = replace(prompt, sampling=prompt.sampling.over(self._sampling))
        request = chat_request(asked, model.remote_id)
        if self._is_ours:
            if prompt.user:
                request["user"] = prompt.user
            if prompt.sampling.top_k is not None:
                request["top_k"] = prompt.sampling.top_k
        return request

    def _affinity(self, prompt: Prompt) -> dict[str, str]:
        """By which HAProxy chooses the replica that holds what was said before."""
        return {"x-session-id": prompt.chat} if self._is_ours and prompt.chat else {}


def _is_offered(model: dict[str, Any]) -> bool:
    return _embeds(model) or not _NO_CHAT.search(model["id"])


def _embeds(model: dict[str, Any]) -> bool:
    return "embed" in model["id"]


def _sees_images(model: dict[str, Any]) -> bool:
    """Some servers say what their models take in; OpenAI's own list says nothing but the name."""
    modalities = (model.get("architecture") or {}).get("input_modalities")
    if modalities is not None:
        return "image" in modalities
    return bool(model.get("vision") or _VISION.match(model["id"]))
