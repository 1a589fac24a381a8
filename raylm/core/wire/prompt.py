"""What a model is asked, in nobody's dialect."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Effort = Literal["minimal", "low", "medium", "high"]


@dataclass(frozen=True)
class ToolDefinition:
    """A tool as a model sees it."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """The JSON schema of its arguments, an object."""
    strict: bool | None = None


@dataclass(frozen=True)
class NamedTool:
    """The one tool that must be called."""

    name: str


ToolChoice = Literal["auto", "none", "required"] | NamedTool


@dataclass(frozen=True)
class ToolCall:
    """A model wants a tool to run; `arguments` is the JSON text that it wrote, right or wrong."""

    id: str
    name: str
    arguments: str
    signature: str = ""
    """What its provider wants to see again with the call (Google's thought signature)."""


@dataclass(frozen=True)
class Image:
    media_type: str
    data: bytes

    @property
    def data_url(self) -> str:
        return _data_url(self.media_type, self.data)


@dataclass(frozen=True)
class ImageLink:
    """For the provider to fetch; only what an API's own client has named, never the chat's."""

    url: str


@dataclass(frozen=True)
class File:
    """A document that the model reads as it is, such as a PDF."""

    media_type: str
    data: bytes
    name: str

    @property
    def data_url(self) -> str:
        return _data_url(self.media_type, self.data)


@dataclass(frozen=True)
class Thought:
    """Reasoning of an earlier answer; the signature is its provider's, who wants it unchanged.

    A thought without text is one that its provider keeps secret.
    """

    text: str
    signature: str = ""


@dataclass(frozen=True)
class Turn:
    """One message of the prompt; `tool` is the result of the call that it names.

    Of an answer come the thoughts first, then the text, then the calls. Only models with `vision`
    are given images and files.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    tool_calls: Sequence[ToolCall] = ()
    tool_call_id: str | None = None
    images: Sequence[Image | ImageLink] = ()
    files: Sequence[File] = ()
    thoughts: Sequence[Thought] = ()
    is_error: bool = False
    """Of a tool's result."""
    cache: bool = False
    """A hint: the prompt up to here will come again."""


@dataclass(frozen=True)
class Sampling:
    """What is asked for beyond the prompt; None leaves it to the provider."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: Sequence[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value is not None}

    def over(self, defaults: "Sampling") -> "Sampling":
        return Sampling(**{**defaults.to_dict(), **self.to_dict()})


@dataclass(frozen=True)
class JsonOutput:
    """The answer is to be JSON: of the schema, or any where there is none."""

    schema: Mapping[str, Any] | None = None
    name: str = "answer"
    strict: bool = True


@dataclass(frozen=True)
class Prompt:
    turns: Sequence[Turn]
    tools: Sequence[ToolDefinition] = ()
    tool_choice: ToolChoice = "auto"
    parallel_tools: bool | None = None
    sampling: Sampling = Sampling()
    output: JsonOutput | None = None
    effort: Effort | None = None
    """How much a model that reasons is to think; None leaves it to the provider."""
    restarts: bool = False
    """Whether whoever reads the answer knows what to do where it starts again."""
    user: str = ""  # for the fairness of our own engine; others are not told
    chat: str = ""  # likewise, for the replica that holds what was said before


def _data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
