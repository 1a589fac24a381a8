"""Google's Gemini API, over the pooled client."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import aiohttp

from raylm.core.wire.events import Event, Usage
from raylm.core.wire.failure import Failure
from raylm.core.wire.google.request_encoder import generate_request
from raylm.core.wire.google.stream_decoder import GenerateStreamDecoder
from raylm.core.wire.prompt import Prompt, Sampling
from raylm_apps.gateway.providers.base import ModelCard, ProviderError
from raylm_apps.gateway.providers.tool_refusals import ToolRefusals
from raylm_apps.gateway.providers.upstream import Upstream

VERSION = "/v1beta"
MOST_PAGES, PAGE_MODELS = 20, "1000"
_VERSIONED = re.compile(r"/v\d\w*/?$")
_NO_CHAT = re.compile(r"\b(tts|audio|live|computer-use)\b")
_VISION = re.compile(r"gemini|gemma-3-(4|12|27)b")


class GoogleProvider:
    def __init__(
        self,
        name: str,
        base_url: str,
        client: aiohttp.ClientSession,
        *,
        api_key: str | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        """The base URL is the server's, with or without the API's version."""
        self.name = name
        versioned = base_url if _VERSIONED.search(base_url) else base_url.rstrip("/") + VERSION
        key = {"x-goog-api-key": api_key} if api_key else {}
        self._upstream = Upstream(client, versioned, key)
        self._sampling = sampling or Sampling()
        self._refusals = ToolRefusals()

    async def models(self) -> Sequence[ModelCard]:
        try:
            return [self._card(model) async for model in self._listed() if _is_offered(model)]
        except (AttributeError, LookupError, TypeError) as error:
            cause = f"a strange model list: {error!r}"
            raise ProviderError.of(Failure.UNREACHABLE, cause) from error

    def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        asked = replace(prompt, sampling=prompt.sampling.over(self._sampling))
        answer = self._upstream.events(
            f"/models/{quote(model.remote_id)}:streamGenerateContent?alt=sse",
            generate_request(asked, model.remote_id, reasons=model.reasoning),
            GenerateStreamDecoder(),
        )
        return self._refusals.watched(model, prompt, answer)

    async def embed(
        self, model: ModelCard, texts: Sequence[str], dimensions: int | None
    ) -> tuple[Sequence[Sequence[float]], Usage | None]:
        """Google does not tell how many tokens that took."""
        name = f"models/{model.remote_id}"
        size = {} if dimensions is None else {"outputDimensionality": dimensions}
        requests = [
            {"model": name, "content": {"parts": [{"text": text}]}, **size} for text in texts
        ]
        path = f"/models/{quote(model.remote_id)}:batchEmbedContents"
        answer = await self._upstream.post(path, {"requests": requests})
        try:
            return [vector["values"] for vector in answer["embeddings"]], None
        except (AttributeError, LookupError, TypeError) as error:
            raise ProviderError.of(Failure.SERVER, f"strange vectors: {error!r}") from error

    async def _listed(self) -> AsyncIterator[dict[str, Any]]:
        query = {"pageSize": PAGE_MODELS}
        for _ in range(MOST_PAGES):
            page = await self._upstream.get("/models", **query)
            for model in page["models"]:
                yield model
            if not (token := page.get("nextPageToken")):
                return
            query["pageToken"] = token

    def _card(self, model: dict[str, Any]) -> ModelCard:
        remote_id = model["name"].removeprefix("models/")
        return ModelCard(
            f"{self.name}/{remote_id}",
            model.get("displayName") or remote_id,
            self.name,
            reasoning=bool(model.get("thinking")),
            tools=remote_id.startswith("gemini"),
            vision=_VISION.match(remote_id) is not None,
            context_tokens=model.get("inputTokenLimit"),
            remote_id=remote_id,
            embeds=_embeds(model),
        )


def _is_offered(model: dict[str, Any]) -> bool:
    return _embeds(model) or _chats(model)


def _embeds(model: dict[str, Any]) -> bool:
    return "embedContent" in (model.get("supportedGenerationMethods") or ())


def _chats(model: dict[str, Any]) -> bool:
    methods = model.get("supportedGenerationMethods") or ()
    return "generateContent" in methods and not _NO_CHAT.search(model["name"])
