"""Chats on the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from raylm_apps.gateway.store.chats import Chat
from raylm_apps.gateway.wire.base import Id, Title, Wire

Visibility = Literal["private", "members", "public"]


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
