"""Every kind of provider: a new one is an adapter's file, and a line in KINDS.

An adapter is a class like OpenAIProvider, made of a name, an address, the pooled client, a key
and the sampling that it adds to what a request leaves open.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

import aiohttp

from raylm.core.wire.prompt import Sampling
from raylm_apps.gateway.providers.anthropic import AnthropicProvider
from raylm_apps.gateway.providers.base import Provider
from raylm_apps.gateway.providers.google import GoogleProvider
from raylm_apps.gateway.providers.mock import MockProvider
from raylm_apps.gateway.providers.openai import OpenAIProvider
from raylm_apps.gateway.providers.openai_responses import OpenAIResponsesProvider
from raylm_apps.gateway.settings import Settings

ENGINE = "raylm"  # our own, and the provider that asks it
# A small model left to itself rambles: what its makers recommend for chatting.
LOCAL_SAMPLING = Sampling(temperature=0.2, top_p=0.9)


class Adapter(Protocol):
    def __call__(
        self,
        name: str,
        base_url: str,
        client: aiohttp.ClientSession,
        *,
        api_key: str | None = None,
        sampling: Sampling | None = None,
    ) -> Provider: ...


@dataclass(frozen=True)
class Kind:
    adapter: Adapter
    base_url: str | None = None
    """None: there is no usual address."""


def _engine(
    name: str,
    base_url: str,
    client: aiohttp.ClientSession,
    *,
    api_key: str | None = None,
    sampling: Sampling | None = None,
) -> Provider:
    """Of RayLM itself."""
    asked = (sampling or Sampling()).over(LOCAL_SAMPLING)
    return OpenAIProvider(name, base_url, client, api_key=api_key, sampling=asked, is_ours=True)


def _mock(
    name: str,
    base_url: str,
    client: aiohttp.ClientSession,
    *,
    api_key: str | None = None,
    sampling: Sampling | None = None,
) -> Provider:
    return MockProvider(name)


KINDS: dict[str, Kind] = {
    "openai": Kind(OpenAIProvider, "https://api.openai.com/v1"),
    "openai-responses": Kind(OpenAIResponsesProvider, "https://api.openai.com/v1"),
    "anthropic": Kind(AnthropicProvider, "https://api.anthropic.com"),
    "google": Kind(GoogleProvider, "https://generativelanguage.googleapis.com"),
    ENGINE: Kind(_engine),
    "mock": Kind(_mock, "mock:"),
}


@dataclass(frozen=True)
class Connection:
    """What an adapter is made of."""

    name: str
    kind: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    sampling: Sampling = field(default_factory=Sampling)

    def open(self, client: aiohttp.ClientSession) -> Provider:
        kind = KINDS[self.kind]
        base_url = self.base_url or kind.base_url or ""
        return kind.adapter(
            self.name, base_url, client, api_key=self.api_key, sampling=self.sampling
        )


def connections_of(settings: Settings) -> Iterable[Connection]:
    """What the environment alone says: the engine, and one for each provider's key."""
    if settings.engine_url is not None:
        sampling = replace(LOCAL_SAMPLING, max_tokens=settings.max_answer_tokens)
        yield Connection(ENGINE, ENGINE, settings.engine_url, sampling=sampling)
    if settings.openai_api_key is not None:
        key = settings.openai_api_key.get_secret_value()
        kind = "openai" if settings.openai_api == "chat" else "openai-responses"
        yield Connection("openai", kind, settings.openai_base_url, key)
    if settings.anthropic_api_key is not None:
        key = settings.anthropic_api_key.get_secret_value()
        yield Connection("anthropic", "anthropic", settings.anthropic_base_url, key)
    if settings.google_api_key is not None:
        key = settings.google_api_key.get_secret_value()
        yield Connection("google", "google", settings.google_base_url, key)
    if settings.mock_provider:
        yield Connection("mock", "mock")
