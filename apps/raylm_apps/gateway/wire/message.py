"""Messages on the wire: a question that comes in, a chat's branch that is read."""

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field

from raylm_apps.gateway.wire.base import Id, Text, Wire
from raylm_apps.gateway.wire.chat import Visibility


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
