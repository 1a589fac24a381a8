"""Pages of chats, and what a search has found in them."""

from pydantic import Field

from raylm_apps.gateway.wire.base import Wire
from raylm_apps.gateway.wire.chat import ChatView


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


class AnsweringView(Wire):
    chat_ids: list[str]
