"""What OpenAI clients send. Unknown fields are ignored; known ones are typed strictly.

A field sent as null means its default. Ranges are those of SamplingParams; what this engine
cannot do is refused by name (RequestError), never ignored.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from raylm.core.errors import RequestError
from raylm.core.sampling import SamplingParams

MAX_STOP_STRINGS = 16
MAX_USER_CHARS = 256
MOST_PRIORITY = 1000
DEFAULT_COMPLETION_TOKENS = 16  # OpenAI's default for the plain completions route


def _encodable(text: str) -> str:
    """JSON can spell half of a surrogate pair, which is no character and has no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"not valid Unicode: lone surrogate at {error.start}") from None
    return text


Text = Annotated[str, AfterValidator(_encodable)]


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            return {key: value for key, value in data.items() if value is not None}
        return data


class ContentPart(Wire):
    type: str
    text: Text = ""


class Message(Wire):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[ContentPart] = ""
    name: str | None = None
    tool_calls: list[Any] = []

    def text(self) -> str:
        """The content as one string. Raises RequestError where it is not text alone."""
        if self.tool_calls:
            raise _unsupported("messages.tool_calls", "the model calls no tools")
        if isinstance(self.content, str):
            return self.content
        for part in self.content:
            if part.type != "text":
                raise _unsupported(f"messages.content.{part.type}", "the model reads text alone")
        return "".join(part.text for part in self.content)


class StreamOptions(Wire):
    include_usage: bool = False


def _as_list(stop: Any) -> Any:
    return [stop] if isinstance(stop, str) else stop


class SamplingRequest(Wire):
    """The fields both completion routes share."""

    model: str
    n: int = 1
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    max_tokens: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: dict[str, float] = {}
    stop: Annotated[list[Text], BeforeValidator(_as_list), Field(max_length=MAX_STOP_STRINGS)] = []
    stop_token_ids: list[int] = []
    ignore_eos: bool = False
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    user: Text = Field("", max_length=MAX_USER_CHARS)
    priority: int = Field(0, ge=-MOST_PRIORITY, le=MOST_PRIORITY)

    def sampling(self, *, max_tokens: int | None, logprobs: int | None) -> SamplingParams:
        return SamplingParams(
            max_tokens=max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=0 if self.top_k == -1 else self.top_k,  # -1 is off in other engines
            min_p=self.min_p,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            repetition_penalty=self.repetition_penalty,
            logit_bias=_bias_by_token(self.logit_bias),
            stop=tuple(self.stop),
            stop_token_ids=tuple(self.stop_token_ids),
            ignore_eos=self.ignore_eos,
            seed=self.seed,
            logprobs=logprobs,
            n=self.n,
        )


class ChatCompletionRequest(SamplingRequest):
    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool = False
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: dict[str, Any] = {"type": "text"}
    tools: list[Any] = []
    tool_choice: str | dict[str, Any] = "none"
    functions: list[Any] = []
    function_call: str | dict[str, Any] = "none"
    modalities: list[str] = ["text"]
    audio: dict[str, Any] | None = None

    def to_sampling_params(self) -> SamplingParams:
        """Raises RequestError for a value out of range or a feature the engine lacks."""
        self._refuse_unsupported()
        if self.top_logprobs is not None and not self.logprobs:
            raise RequestError("top_logprobs needs logprobs to be true", param="top_logprobs")
        limit = self.max_completion_tokens
        return self.sampling(
            max_tokens=self.max_tokens if limit is None else limit,
            logprobs=(self.top_logprobs or 0) if self.logprobs else None,
        )

    def _refuse_unsupported(self) -> None:
        if self.tools:
            raise _unsupported("tools", "the model calls no tools")
        if self.functions:
            raise _unsupported("functions", "the model calls no tools")
        if self.tool_choice not in ("none", "auto"):
            raise _unsupported("tool_choice", "the model calls no tools")
        if self.function_call not in ("none", "auto"):
            raise _unsupported("function_call", "the model calls no tools")
        if self.response_format.get("type") != "text":
            raise _unsupported("response_format", "only {'type': 'text'} can be asked for")
        if self.modalities != ["text"]:
            raise _unsupported("modalities", "the model writes text alone")
        if self.audio is not None:
            raise _unsupported("audio", "the model writes text alone")


class CompletionRequest(SamplingRequest):
    prompt: Text | list[Text] | list[int] | list[list[int]]
    logprobs: int | None = None
    best_of: int | None = None
    echo: bool = False
    suffix: str = ""

    def to_sampling_params(self) -> SamplingParams:
        """Raises RequestError for a value out of range or a feature the engine lacks."""
        if self.best_of not in (None, self.n):
            raise _unsupported("best_of", "ask for n completions and choose among them")
        if self.echo:
            raise _unsupported("echo", "join the prompt and the text yourself")
        if self.suffix:
            raise _unsupported("suffix", "the model only continues a prompt")
        limit = DEFAULT_COMPLETION_TOKENS if self.max_tokens is None else self.max_tokens
        return self.sampling(max_tokens=limit, logprobs=self.logprobs)

    def prompts(self) -> list[str] | list[list[int]]:
        """One entry per prompt, each text or token ids."""
        prompt = self.prompt
        if isinstance(prompt, str):
            return [prompt]
        if not prompt:
            raise RequestError("prompt is an empty list; send at least one", param="prompt")
        if isinstance(prompt[0], int):
            return [prompt]  # one prompt of token ids
        return prompt


def _bias_by_token(bias: Mapping[str, float]) -> dict[int, float]:
    by_token = {}
    for token, value in bias.items():
        if not token.isdecimal():
            raise RequestError(f"logit_bias key {token!r} is not a token id", param="logit_bias")
        if not -100.0 <= value <= 100.0:
            raise RequestError(
                f"logit_bias of token {token} is {value}; it must lie in [-100, 100]",
                param="logit_bias",
            )
        by_token[int(token)] = value
    return by_token


def _unsupported(param: str, reason: str) -> RequestError:
    return RequestError(f"{param} is not supported: {reason}", param=param)
