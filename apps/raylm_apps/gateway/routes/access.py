"""A chat, for someone who may read it."""

from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.services import Services
from raylm_apps.gateway.store import chats
from raylm_apps.gateway.store.chats import Chat


async def readable_chat(gateway: Services, chat_id: str, user_id: str) -> Chat:
    """Raises not_found or forbidden."""
    async with gateway.database.connection() as connection:
        chat = await chats.find(connection, chat_id)
    if chat is None:
        raise ApiError("not_found:chat")
    if not chat.readable_by(user_id):
        raise ApiError("forbidden:chat")
    return chat


async def own_chat(gateway: Services, chat_id: str, user_id: str) -> Chat:
    """Raises not_found or forbidden."""
    chat = await readable_chat(gateway, chat_id, user_id)
    if chat.user_id != user_id:
        raise ApiError("forbidden:chat")
    return chat
