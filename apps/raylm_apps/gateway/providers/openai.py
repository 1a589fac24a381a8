"""Any OpenAI-compatible server, our own engine among them, over one pooled aiohttp client."""

import re
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import aiohttp
import orjson

from raylm_apps.gateway.providers.base import (
    Event,
    Finished,
    ModelCard,
    Prompt,
    ProviderError,
    ReasoningDelta,
    Sampling,
    TextDelta,
    ToolsRefusedError,
    Usage,
)
from raylm_apps.gateway.providers.openai_errors import (
    UNREACHABLE,
    check,
    error_of,
    read_error,
)
from raylm_apps.gateway.providers.openai_tools import ToolCallStream, message_of, tools_of
from raylm_apps.gateway.providers.sse import SseError, sse_data
from raylm_apps.gateway.providers.tool_refusals import ToolRefusals, refuses_tools

CONNECT_TIMEOUT_S = 5.0
SILENCE_TIMEOUT_S = 120.0
STRANGE = (SseError, orjson.JSONDecodeError, AttributeError, LookupError, TypeError)
BROKEN_OFF = "The model's answer broke off. Please try again."
_NO_CHAT = re.compile(
    r"embed|whisper|tts|dall-e|image|moderation|realtime|transcribe|audio|sora|search|instruct"
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
    ) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._client = client
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._sampling = sampling or Sampling()
        self._refusals = ToolRefusals()

    async def models(self) -> Sequence[ModelCard]:
        timeout = aiohttp.ClientTimeout(total=CONNECT_TIMEOUT_S)
        try:
            async with self._client.get(
                f"{self._base_url}/models", headers=self._headers, timeout=timeout
            ) as response:
                await check(response)
                listed = orjson.loads(await response.read())["data"]
                return [self._card(model) for model in listed if not _NO_CHAT.search(model["id"])]
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProviderError(UNREACHABLE, cause=repr(error)) from error
        except STRANGE as error:
            raise ProviderError(UNREACHABLE, cause=f"a strange model list: {error!r}") from error

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        if prompt.tools and prompt.model.id in self._refusals:
            raise _no_tools(prompt.model, "it has said so lately")
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_TIMEOUT_S
        )
        finished: Finished | None = None
        calls = ToolCallStream()
        try:
            async with self._client.post(
                f"{self._base_url}/chat/completions",
                data=orjson.dumps(self._request(prompt)),
                headers=self._headers_for(prompt),
                timeout=timeout,
            ) as response:
                await self._check_answer(response, prompt)
                async for data in sse_data(response.content.iter_any()):
                    if data == b"[DONE]":
                        break
                    for event in _events(orjson.loads(data), calls):
                        if isinstance(event, Finished):
                            finished = _merge(finished, event)
                        else:
                            yield event
        except aiohttp.ClientPayloadError as error:  # whoever answers has died within the answer
            raise ProviderError(BROKEN_OFF, cause=repr(error)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProviderError(UNREACHABLE, cause=repr(error)) from error
        except STRANGE as error:
            raise ProviderError(BROKEN_OFF, cause=f"a strange event: {error!r}") from error
        if finished is None:
            raise ProviderError(BROKEN_OFF, cause="the stream ended without a finish_reason")
        for call in calls.whole():
            yield call
        yield finished

    async def _check_answer(self, response: aiohttp.ClientResponse, prompt: Prompt) -> None:
        if response.status == 200:
            return
        body = await read_error(response)
        if prompt.tools and refuses_tools(response.status, body):
            self._refusals.add(prompt.model.id)
            raise _no_tools(prompt.model, f"HTTP {response.status}: {body}")
        raise error_of(response.status, body)

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
        )

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        return {
            "model": self._remote_id(prompt.model),
            "messages": [message_of(turn) for turn in prompt.turns],
            "stream": True,
            "stream_options": {"include_usage": True},
            **({"user": prompt.user} if self._is_ours and prompt.user else {}),
            **self._sampling.to_dict(),
            **self._bound(prompt),
            **tools_of(prompt),
        }

    def _headers_for(self, prompt: Prompt) -> dict[str, str]:
        headers = {**self._headers, "Content-Type": "application/json"}
        if self._is_ours and prompt.chat:  # by which HAProxy chooses the replica
            headers["x-session-id"] = prompt.chat
        return headers

    def _bound(self, prompt: Prompt) -> dict[str, int]:
        if prompt.max_tokens is None:
            return {}
        # OpenAI's reasoning models refuse the older name
        return {"max_tokens" if self._is_ours else "max_completion_tokens": prompt.max_tokens}

    @property
    def _is_ours(self) -> bool:
        return self.name == "raylm"

    def _remote_id(self, model: ModelCard) -> str:
        """Our engine's ids carry its name (`raylm/smollm2`); another server's do not."""
        return model.id if self._is_ours else model.id.removeprefix(f"{self.name}/")


def _sees_images(model: dict[str, Any]) -> bool:
    """Some servers say what their models take in; OpenAI's own list says nothing but the name."""
    modalities = (model.get("architecture") or {}).get("input_modalities")
    if modalities is not None:
        return "image" in modalities
    return bool(model.get("vision") or _VISION.match(model["id"]))


def _events(chunk: dict[str, Any], calls: ToolCallStream) -> list[Event]:
    if "error" in chunk:
        raise ProviderError(BROKEN_OFF, cause=str(chunk["error"]))
    events: list[Event] = []
    for choice in chunk.get("choices") or ():
        delta = choice.get("delta") or {}
        if reasoning := delta.get("reasoning_content") or delta.get("reasoning"):
            events.append(ReasoningDelta(reasoning))
        if text := delta.get("content"):
            events.append(TextDelta(text))
        for piece in delta.get("tool_calls") or ():
            events += calls.add(piece)
        if reason := choice.get("finish_reason"):
            events.append(Finished(reason.replace("_", "-")))
    if usage := chunk.get("usage"):
        counts = Usage(usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0))
        events.append(Finished("", counts))
    return events


def _merge(known: Finished | None, more: Finished) -> Finished | None:
    """The reason and the usage come in separate chunks; usage alone is no end."""
    reason = more.reason or (known.reason if known else "")
    return Finished(reason, more.usage or (known.usage if known else None)) if reason else known


def _no_tools(model: ModelCard, cause: str) -> ToolsRefusedError:
    return ToolsRefusedError(f"{model.name} cannot use tools, so it answers without.", cause=cause)
