"""What clients of Anthropic's messages API send.

What changes nothing about the answer, or only Anthropic has, is passed over (metadata, tiers, beta
features); what would make another answer is refused by name.
"""

import base64
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST = 2**31 - 1
_BY_TYPE = Field(discriminator="type")


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


def _whole(number: Any) -> Any:
    """JSON has one kind of number."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


_Positive = Annotated[int, Field(ge=1, le=MOST)]
_Natural = Annotated[int, Field(ge=0, le=MOST)]
Positive = Annotated[_Positive, BeforeValidator(_whole, json_schema_input_type=_Positive)]
Natural = Annotated[_Natural, BeforeValidator(_whole, json_schema_input_type=_Natural)]


class CacheControl(Wire):
    type: Literal["ephemeral"]


class Block(Wire):
    cache_control: CacheControl | None = None


class TextBlock(Block):
    type: Literal["text"]
    text: str


def _as_blocks(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


Texts = Annotated[
    list[TextBlock], BeforeValidator(_as_blocks, json_schema_input_type=str | list[TextBlock])
]
"""Or a string, short for one text."""


def _decoded(text: Any) -> Any:
    if not isinstance(text, str):
        raise ValueError("it must be a string of base64")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError("it is not base64") from None


Data = Annotated[bytes, BeforeValidator(_decoded, json_schema_input_type=str)]


class Base64Image(Wire):
    type: Literal["base64"]
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: Data


class UrlImage(Wire):
    type: Literal["url"]
    url: str = Field(pattern="^https?://")


class ImageBlock(Block):
    type: Literal["image"]
    source: Annotated[Base64Image | UrlImage, _BY_TYPE]


class Base64Pdf(Wire):
    type: Literal["base64"]
    media_type: Literal["application/pdf"]
    data: Data


class PlainText(Wire):
    type: Literal["text"]
    data: str


class TextContent(Wire):
    type: Literal["content"]
    content: Texts


class DocumentBlock(Block):
    type: Literal["document"]
    source: Annotated[Base64Pdf | PlainText | TextContent, _BY_TYPE]
    title: str | None = None
    context: str | None = None


class SearchResultBlock(Block):
    type: Literal["search_result"]
    source: str
    title: str
    content: list[TextBlock]


ShownBlock = TextBlock | ImageBlock | DocumentBlock | SearchResultBlock
Shown = list[Annotated[ShownBlock, _BY_TYPE]]


class ToolResultBlock(Block):
    type: Literal["tool_result"]
    tool_use_id: str
    content: Annotated[Shown, BeforeValidator(_as_blocks, json_schema_input_type=str | Shown)] = []
    is_error: bool = False


class ThinkingBlock(Wire):
    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThinkingBlock(Wire):
    type: Literal["redacted_thinking"]
    data: str


class ToolUseBlock(Block):
    type: Literal["tool_use"]
    id: str
    name: str = Field(min_length=1)
    input: dict[str, Any]


class ServerBlock(Block):
    """What a tool of the provider has done for an earlier answer, whose text says it."""

    type: Literal[
        "server_tool_use",
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
    ]


UserBlock = ShownBlock | ToolResultBlock
AssistantBlock = TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock | ServerBlock
AnyBlock = UserBlock | AssistantBlock
Said = list[Annotated[UserBlock, _BY_TYPE]]
Answered = list[Annotated[AssistantBlock, _BY_TYPE]]


class UserMessage(Wire):
    role: Literal["user"]
    content: Annotated[Said, BeforeValidator(_as_blocks, json_schema_input_type=str | Said)]


class AssistantMessage(Wire):
    role: Literal["assistant"]
    content: Annotated[Answered, BeforeValidator(_as_blocks, json_schema_input_type=str | Answered)]


class SystemMessage(Wire):
    role: Literal["system"]
    content: Texts


class Tool(Wire):
    type: Literal["custom"] | None = None
    name: str = Field(min_length=1)
    description: str = ""
    input_schema: dict[str, Any]
    strict: bool | None = None


class AnyChoice(Wire):
    type: Literal["auto", "any", "none"]
    disable_parallel_tool_use: bool | None = None


class ToolChoice(Wire):
    type: Literal["tool"]
    name: str
    disable_parallel_tool_use: bool | None = None


class ThinkingBudget(Wire):
    type: Literal["enabled"]
    budget_tokens: Positive


class ThinkingMode(Wire):
    type: Literal["adaptive", "disabled", "between_tools"]


class JsonFormat(Wire):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class OutputConfig(Wire):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None


class CountRequest(Wire):
    """What a model would read.

    Source: https://platform.claude.com/docs/en/api/messages-count-tokens
    """

    model: str
    messages: list[
        Annotated[UserMessage | AssistantMessage | SystemMessage, Field(discriminator="role")]
    ] = Field(min_length=1)
    system: Texts = []
    tools: list[Tool] = []
    tool_choice: Annotated[AnyChoice | ToolChoice, _BY_TYPE] | None = None
    thinking: Annotated[ThinkingBudget | ThinkingMode, _BY_TYPE] | None = None
    output_config: OutputConfig | None = None
    output_format: JsonFormat | None = None
    cache_control: CacheControl | None = None


class MessagesRequest(CountRequest):
    """Source: https://platform.claude.com/docs/en/api/messages"""

    max_tokens: Positive
    stream: bool = False
    temperature: float | None = Field(None, ge=0, le=1)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: Natural | None = None
    stop_sequences: list[str] | None = None
