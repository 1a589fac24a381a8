"""The seam between the gateway and whoever answers: a prompt in, typed events out."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from raylm.core.wire.events import Event, Usage
from raylm.core.wire.failure import Failure
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.providers.redaction import redacted

HIDDEN = "(key)"
UNREACHABLE = "The model cannot be reached at the moment. Please try again."
MESSAGES = {
    Failure.BUSY: "The model is busy. Please try again in a moment.",
    Failure.TIMEOUT: "The model did not answer in time. Please try again.",
    Failure.TOO_LONG: "This conversation is too long for the model.",
    Failure.POLICY: "The model's provider declined to answer this.",
    Failure.REQUEST: "The model's provider did not accept this request.",
    Failure.BROKEN_OFF: "The model's answer broke off. Please try again.",
}


@dataclass(frozen=True)
class Prices:
    """In dollars for a million tokens; what is not named costs what the input does."""

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None

    @classmethod
    def dearest(cls, some: Sequence["Prices"]) -> "Prices | None":
        """What each kind of token costs at most, whoever of them answers."""
        if not some:
            return None
        return cls(
            max(prices.input for prices in some),
            max(prices.output for prices in some),
            _most([(prices.cached, prices.input) for prices in some]),
            _most([(prices.cache_write, prices.input) for prices in some]),
        )


def _most(some: Sequence[tuple[float | None, float]]) -> float | None:
    """None where nobody names a price of its own."""
    if all(own is None for own, _ in some):
        return None
    return max(plain if own is None else own for own, plain in some)


@dataclass(frozen=True)
class ModelCard:
    id: str
    name: str
    provider: str
    reasoning: bool = False
    tools: bool = False
    vision: bool = False
    chat_template: bool = True
    """False for a base model, which only continues text."""
    context_tokens: int | None = None
    remote_id: str = ""
    """What the provider itself calls it."""
    prices: Prices | None = None
    embeds: bool = False
    """It makes vectors of texts, and does not chat."""


class ProviderError(Exception):
    """`message` is for users: no address, no key, no stranger's words."""

    def __init__(
        self,
        message: str,
        *,
        cause: str = "",
        failure: Failure = Failure.SERVER,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.cause = redacted(cause)
        self.failure = failure
        self.retry_after_s = retry_after_s

    def hide(self, secret: str) -> None:
        self.cause = self.cause.replace(secret, HIDDEN)

    @classmethod
    def of(cls, failure: Failure, cause: str, *, retry_after_s: float | None = None) -> Self:
        """In the words that users read for such a failure."""
        message = MESSAGES.get(failure, UNREACHABLE)
        return cls(message, cause=cause, failure=failure, retry_after_s=retry_after_s)


class ToolsRefusedError(ProviderError):
    """Of a prompt with tools, before any event: the model can be asked without."""


class Provider(Protocol):
    name: str

    async def models(self) -> Sequence[ModelCard]:
        """Raises ProviderError while the provider cannot be reached."""
        ...

    def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        """Ends after Finished; raises ProviderError, among them ToolsRefusedError; closing it
        cancels the provider's work."""
        ...


class Relay(Protocol):
    """Of a provider whose server speaks OpenAI's format: bodies and answers go through as is."""

    def relay(
        self, model: ModelCard, path: str, body: Mapping[str, Any]
    ) -> AsyncGenerator[bytes, None]:
        """Raises ProviderError; closing it cancels the provider's work."""
        ...


class Embedder(Protocol):
    """Of a provider that makes vectors in a format of its own."""

    async def embed(
        self, model: ModelCard, texts: Sequence[str], dimensions: int | None
    ) -> tuple[Sequence[Sequence[float]], Usage | None]:
        """A vector a text. Raises ProviderError."""
        ...


class TokenCounter(Protocol):
    """Of a provider that counts a prompt before it is asked."""

    async def count_tokens(self, model: ModelCard, prompt: Prompt) -> int:
        """Raises ProviderError."""
        ...


def counter_of(provider: Provider) -> TokenCounter | None:
    counter: TokenCounter | None = provider if hasattr(provider, "count_tokens") else None  # type: ignore[assignment]
    return counter


def embedder_of(provider: Provider) -> Embedder | None:
    embedder: Embedder | None = provider if hasattr(provider, "embed") else None  # type: ignore[assignment]
    return embedder


def relay_of(provider: Provider) -> Relay | None:
    relay: Relay | None = provider if hasattr(provider, "relay") else None  # type: ignore[assignment]
    return relay


@dataclass
class Catalogue:
    """A provider's models as last seen."""

    cards: dict[str, ModelCard] = field(default_factory=dict)
    seen_at: float = float("-inf")
    error: ProviderError | None = None

    def is_fresh(self, seconds: float) -> bool:
        return time.monotonic() - self.seen_at < seconds
