"""The seam between the gateway and whoever answers: a request in, typed events out."""

import base64
import re
import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class ToolDefinition:
    """A tool as a model sees it."""

    name: str
    description: str
    parameters: dict[str, Any]
    """The JSON schema of its arguments, an object."""


@dataclass(frozen=True)
class ToolCall:
    """A model wants a tool to run; `arguments` is the JSON text that it wrote, right or wrong."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Image:
    media_type: str
    data: bytes

    @property
    def data_url(self) -> str:
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"


@dataclass(frozen=True)
class Turn:
    """One message of the prompt; `tool` is the result of the call that it names.

    Only models with `vision` are given images.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    tool_calls: Sequence[ToolCall] = ()
    tool_call_id: str | None = None
    images: Sequence[Image] = ()


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


@dataclass(frozen=True)
class Prompt:
    model: ModelCard
    turns: Sequence[Turn]
    user: str = ""  # for the fairness of our own engine; others are not told
    chat: str = ""  # likewise, for the replica that holds what was said before
    tools: Sequence[ToolDefinition] = ()
    tool_choice: Literal["auto", "none"] = "auto"
    max_tokens: int | None = None


@dataclass(frozen=True)
class TextDelta:
    text: str


@dataclass(frozen=True)
class ReasoningDelta:
    text: str


@dataclass(frozen=True)
class ToolCallStarted:
    id: str
    name: str


@dataclass(frozen=True)
class ToolCallDelta:
    """A piece of the arguments' JSON text."""

    id: str
    arguments: str


@dataclass(frozen=True)
class Usage:
    input_tokens: int
    output_tokens: int

    def __add__(self, more: "Usage") -> "Usage":
        return Usage(self.input_tokens + more.input_tokens, self.output_tokens + more.output_tokens)


@dataclass(frozen=True)
class Finished:
    reason: str = "stop"
    usage: Usage | None = None


Event = TextDelta | ReasoningDelta | ToolCallStarted | ToolCallDelta | ToolCall | Finished


def new_call_id() -> str:
    """Ours, not the provider's: some repeat theirs in each step, and a message needs them apart."""
    return f"call_{uuid.uuid4().hex[:24]}"


def tool_name(text: str) -> str:
    """What a model calls a tool, in the characters that every provider and client accepts."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:64] or "unknown"


class ProviderError(Exception):
    """`message` is for users: no address, no key, no stranger's words."""

    def __init__(self, message: str, *, cause: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause


class ToolsRefusedError(ProviderError):
    """Of a prompt with tools, before any event: the model can be asked without."""


class Provider(Protocol):
    name: str

    async def models(self) -> Sequence[ModelCard]:
        """Raises ProviderError while the provider cannot be reached."""
        ...

    def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        """Ends after Finished; raises ProviderError, among them ToolsRefusedError; closing it
        cancels the provider's work."""
        ...


@dataclass(frozen=True)
class Sampling:
    """What a provider is asked for beyond the prompt; None leaves it to the provider."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None

    def to_dict(self) -> dict[str, float]:
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass
class Catalogue:
    """A provider's models as last seen."""

    cards: dict[str, ModelCard] = field(default_factory=dict)
    seen_at: float = float("-inf")
    error: ProviderError | None = None
