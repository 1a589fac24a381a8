"""What a model answers, piece by piece, in nobody's dialect."""

from dataclasses import dataclass
from typing import Literal

from raylm.core.wire.prompt import ToolCall

Reason = Literal["stop", "length", "tool-calls", "content-filter", "error", "other"]


@dataclass(frozen=True)
class TextDelta:
    text: str


@dataclass(frozen=True)
class ReasoningDelta:
    text: str


@dataclass(frozen=True)
class ReasoningSigned:
    """The end of a thought, whose provider wants it back with this signature."""

    signature: str


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
class ToolResult:
    """Of a tool that the provider has run itself; `output` is JSON text."""

    id: str
    name: str
    output: str


@dataclass(frozen=True)
class Source:
    """A page that the answer rests on."""

    url: str
    title: str = ""


@dataclass(frozen=True)
class GeneratedFile:
    media_type: str
    data: bytes


@dataclass(frozen=True)
class Usage:
    """Tokens; those read from a cache and written to one are among the input's."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, more: "Usage") -> "Usage":
        return Usage(*(mine + its for mine, its in zip(self._counts, more._counts, strict=True)))

    @property
    def _counts(self) -> tuple[int, ...]:
        return tuple(vars(self).values())


@dataclass(frozen=True)
class Restarted:
    """Another model begins again: what has come of this answer so far is void."""

    model: str


@dataclass(frozen=True)
class Continued:
    """Another model goes on where the answer has broken off; what was said stands, but for calls
    that were not finished."""

    model: str


@dataclass(frozen=True)
class Finished:
    reason: str = "stop"
    usage: Usage | None = None
    model: str = ""
    """Who has answered, where several could."""
    stop_sequence: str | None = None
    """Which of those asked for has ended the answer, where its provider tells."""


Event = (
    TextDelta
    | ReasoningDelta
    | ReasoningSigned
    | ToolCallStarted
    | ToolCallDelta
    | ToolCall
    | ToolResult
    | Source
    | GeneratedFile
    | Restarted
    | Continued
    | Finished
)
