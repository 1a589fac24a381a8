"""The body of OpenAI's chat completions, as clients send it for any provider."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from raylm.core.wire.openai.requests import StreamOptions, Text, Wire

KINDS = ("text", "image_url", "file", "refusal")


class TextPart(Wire):
    type: Literal["text"]
    text: Text
    cache_control: dict[str, Any] | None = None


class ImageUrl(Wire):
    url: Text


class ImagePart(Wire):
    type: Literal["image_url"]
    image_url: ImageUrl


class FileData(Wire):
    file_data: Text | None = None
    filename: Text = "file"


class FilePart(Wire):
    type: Literal["file"]
    file: FileData


class RefusalPart(Wire):
    type: Literal["refusal"]
    refusal: Text


class OtherPart(Wire):
    """Such as sound, which only servers of OpenAI's own format take."""

    type: str


def _kind(part: Any) -> str:
    kind = part.get("type") if isinstance(part, dict) else getattr(part, "type", None)
    return kind if kind in KINDS else "other"


Part = Annotated[
    Annotated[TextPart, Tag("text")]
    | Annotated[ImagePart, Tag("image_url")]
    | Annotated[FilePart, Tag("file")]
    | Annotated[RefusalPart, Tag("refusal")]
    | Annotated[OtherPart, Tag("other")],
    Discriminator(_kind),
]


class FunctionOfCall(Wire):
    name: Text
    arguments: Text = ""


class CallOfMessage(Wire):
    id: Text
    function: FunctionOfCall


class Message(Wire):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Annotated[list[Part], BeforeValidator(lambda content: _as_parts(content))] = Field([])
    tool_calls: list[CallOfMessage] = Field([])
    tool_call_id: Text | None = None
    reasoning_content: Text = ""


def _as_parts(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class Function(Wire):
    name: Text
    description: Text = ""
    parameters: dict[str, Any] = Field({"type": "object", "properties": {}})
    strict: bool | None = None


class Tool(Wire):
    type: Literal["function"]
    function: Function


class NamedFunction(Wire):
    name: Text


class NamedChoice(Wire):
    type: Literal["function"]
    function: NamedFunction


class JsonSchema(Wire):
    name: Text = "answer"
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool = False


class ResponseFormat(Wire):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class ChatRequest(Wire):
    """What is not named here goes on to servers of the same format, and to no others.

    Source: https://platform.openai.com/docs/api-reference/chat/create
    """

    model: Text
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = None
    stop: Annotated[
        list[Text], BeforeValidator(lambda stop: [stop] if isinstance(stop, str) else stop)
    ] = Field([])
    seed: int | None = None
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    tools: list[Tool] = Field([])
    tool_choice: Literal["auto", "none", "required"] | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    n: int = Field(1, ge=1)
    logprobs: bool = False
    logit_bias: dict[str, float] = Field({})
    modalities: list[str] = Field(["text"])
    functions: list[Any] = Field([])
    user: Text = ""

    @property
    def most_tokens(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens
