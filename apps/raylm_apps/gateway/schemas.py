"""The shapes of requests and answers, in the wire's camelCase."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.store.chats import Chat

# A UUID from our own page, a 16-character random id from a stock AI SDK client.
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
# Our own answers' ids too; an edited question's earlier versions have `.` and a number behind it.
MessageId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,200}$")]
Visibility = Literal["private", "members", "public"]


class Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


def storable(text: str) -> str:
    """Without NUL, which PostgreSQL cannot hold, and without halves of surrogate pairs, which
    JSON can spell but UTF-8 cannot."""
    return text.encode(errors="ignore").decode().replace("\x00", "")


Text = Annotated[str, AfterValidator(storable)]


class TextPart(Wire):
    type: Literal["text"]
    text: Text


class FilePart(Wire):
    """`url` is one that an upload was answered with, or a data: URL."""

    type: Literal["file"]
    media_type: Annotated[str, Field(max_length=200)]
    filename: Annotated[
        str, Field(max_length=500, validation_alias=AliasChoices("filename", "name"))
    ] = ""
    url: str


class UserMessage(Wire):
    id: Id
    role: Literal["user"]
    parts: Annotated[
        list[Annotated[TextPart | FilePart, Field(discriminator="type")]],
        Field(min_length=1, max_length=32),
    ]

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def files(self) -> list[FilePart]:
        return [part for part in self.parts if isinstance(part, FilePart)]


def explain(mistake: Mapping[str, Any]) -> str:
    """`message.parts.0.text: Field required`, from one of pydantic's errors."""
    where = ".".join(str(step) for step in mistake["loc"] if step != "body")
    return f"{where}: {mistake['msg']}" if where else str(mistake["msg"])


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
    tool_approval: bool = Field(
        False, description="the client speaks version 6's parts about tools' approval"
    )

    def question(self, max_chars: int) -> UserMessage:
        """The user's message, of either shape, checked. Raises bad_request."""
        question = self.message or self._last_of_messages()
        text = question.text
        if not text.strip() and not question.files:
            raise ApiError("bad_request:api", "the message has no text")
        if len(text) > max_chars:
            raise ApiError(
                "bad_request:api", f"the message has {len(text)} characters; at most {max_chars}"
            )
        return question

    def _last_of_messages(self) -> UserMessage:
        questions = [message for message in self.messages or () if message.role == "user"]
        if not questions:
            raise ApiError("bad_request:api", "message or messages must have a user's message")
        last = questions[-1]
        try:
            return UserMessage(id=last.id, role="user", parts=last.parts)
        except ValidationError as error:
            raise ApiError("bad_request:api", explain(error.errors()[0])) from None


class StopRequest(Wire):
    message_id: str | None = Field(None, description="stop only if this answer is the active one")


Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    BeforeValidator(lambda title: storable(title) if isinstance(title, str) else title),
]


class ChatPatch(Wire):
    """What is left out stays as it is."""

    title: Title | None = None
    visibility: Visibility | None = None
    archived: bool | None = None
    folder_id: Id | None = Field(None, description="null: in no folder")
    team_id: Id | None = Field(None, description="null: shared with no team")

    def changes(self) -> dict[str, Any]:
        given = self.model_dump(exclude_unset=True)
        clearable = {"folder_id", "team_id"}
        return {
            name: value for name, value in given.items() if value is not None or name in clearable
        }


class User(Wire):
    id: str
    type: Literal["guest", "regular", "admin"]
    name: str | None = None
    email: str | None = None
    email_verified: bool = False


class SessionView(Wire):
    user: User | None
    expires: datetime | None = None


class ChatView(Wire):
    id: str
    title: str
    visibility: Visibility
    user_id: str
    folder_id: str | None
    team_id: str | None
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime


def chat_view(chat: Chat) -> ChatView:
    return ChatView.model_validate(chat, from_attributes=True)


class PieceView(Wire):
    text: str
    is_match: bool


class ListedChatView(ChatView):
    snippet: list[PieceView] | None = Field(
        None, description="in a search: the words and their surroundings, as plain text"
    )


class HistoryView(Wire):
    chats: list[ListedChatView]
    has_more: bool


class MessageView(Wire):
    """An AI SDK UI message.

    `metadata` has status, createdAt, for answers model and usage, and where there is more than one
    message in this place of the chat, `siblings`: their ids, oldest first, and `siblingIndex`.
    """

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
    has_more: bool = Field(description="earlier messages: ask with before=")


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
