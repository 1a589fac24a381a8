"""Chats, folders and teams, for someone who may use them."""

from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.services import Services
from raylm_apps.gateway.store import chats, folders, teams
from raylm_apps.gateway.store.chats import Chat
from raylm_apps.gateway.store.folders import Folder
from raylm_apps.gateway.store.teams import Team


async def readable_chat(gateway: Services, chat_id: str, user_id: str) -> Chat:
    """Raises not_found or forbidden."""
    async with gateway.database.connection() as connection:
        found = await chats.find(connection, chat_id, user_id)
    if found is None:
        raise ApiError("not_found:chat")
    if not found.is_readable:
        raise ApiError("forbidden:chat")
    return found.chat


async def own_chat(
    gateway: Services, chat_id: str, user_id: str, *, refusal: str = "forbidden:chat"
) -> Chat:
    """Raises not_found or the refusal."""
    async with gateway.database.connection() as connection:
        found = await chats.find(connection, chat_id, user_id)
    if found is None:
        raise ApiError("not_found:chat")
    if found.chat.user_id != user_id:
        raise ApiError(refusal)
    return found.chat


async def own_folder(gateway: Services, folder_id: str, user_id: str) -> Folder:
    """Raises not_found: another's folder is none."""
    async with gateway.database.connection() as connection:
        folder = await folders.find(connection, folder_id, user_id)
    if folder is None:
        raise ApiError("not_found:folder")
    return folder


async def joined_team(gateway: Services, team_id: str, user_id: str) -> Team:
    """Raises not_found: a team of others is none."""
    async with gateway.database.connection() as connection:
        team = await teams.find(connection, team_id, user_id)
    if team is None:
        raise ApiError("not_found:team")
    return team
