"""The shapes of requests and answers, in the wire's camelCase."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

# A UUID from our own page, a 16-character random id from a stock AI SDK client.
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
Visibility = Literal["private", "public"]


class Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class TextPart(Wire):
    type: Literal["text"]
    text: str


class UserMessage(Wire):
    id: Id
    role: Literal["user"]
    parts: Annotated[list[TextPart], Field(min_length=1, max_length=32)]

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)


class EarlierMessage(Wire):
    """A message the client repeats; the stored one is what counts."""

    id: str
    role: Literal["system", "user", "assistant"]
    parts: list[dict[str, Any]] = []


class ChatRequest(Wire):
    """`message`, as the template's page sends it, or `messages`, as a stock client does."""

    id: Id
    message: UserMessage | None = None
    messages: Annotated[list[EarlierMessage], Field(max_length=10_000)] | None = None
    trigger: Literal["submit-message", "regenerate-message"] = "submit-message"
    message_id: str | None = None
    selected_chat_model: str | None = None
    selected_visibility_type: Visibility = "private"


class StopRequest(Wire):
    message_id: str | None = Field(None, description="stop only if this answer is the active one")


Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class ChatPatch(Wire):
    """What is left out stays as it is."""

    title: Title | None = None
    visibility: Visibility | None = None


class User(Wire):
    id: str
    type: Literal["guest", "regular"]
    name: str | None = None
    email: str | None = None


class SessionView(Wire):
    user: User | None
    expires: datetime | None = None


class ChatView(Wire):
    id: str
    title: str
    visibility: Visibility
    user_id: str
    created_at: datetime
    updated_at: datetime


class HistoryView(Wire):
    chats: list[ChatView]
    has_more: bool


class MessageView(Wire):
    """An AI SDK UI message; `metadata` has status, createdAt and, for answers, model and usage."""

    id: str
    role: Literal["user", "assistant"]
    parts: list[dict[str, Any]]
    metadata: dict[str, Any]


class MessagesView(Wire):
    messages: list[MessageView]
    title: str | None
    visibility: Visibility
    user_id: str | None
    is_readonly: bool


class Capabilities(Wire):
    tools: bool = False
    vision: bool = False
    reasoning: bool = False


class ModelView(BaseModel):
    id: str
    name: str
    provider: str
    capabilities: Capabilities
    chat_template: bool = Field(description="false: a base model, served as plain completion")
    context_tokens: int | None


class ModelsView(BaseModel):
    default: str | None
    models: list[ModelView]
    capabilities: dict[str, Capabilities]


class ErrorView(BaseModel):
    code: str = Field(description="type:surface, empty where the cause is not for users")
    message: str
    cause: str | None = None
