"""Folders of chats."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from raylm_apps.gateway.auth import SignedIn
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.routes.access import joined_team, own_folder
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.store import folders, users
from raylm_apps.gateway.store.folders import Folder
from raylm_apps.gateway.wire.base import Id, Title, Wire

MOST = 1_000
router = APIRouter(prefix="/api/folders", tags=["folders"])


class FolderRequest(Wire):
    name: Title


class FolderPatch(Wire):
    """What is left out stays as it is."""

    name: Title | None = None
    team_id: Id | None = Field(None, description="whose members read its chats; null: nobody's")


class FolderView(Wire):
    id: str
    name: str
    team_id: str | None
    created_at: datetime
    updated_at: datetime


class FoldersView(Wire):
    folders: list[FolderView]


@router.get("")
async def read(gateway: Gateway, session: SignedIn) -> FoldersView:
    """By name."""
    async with gateway.database.connection() as connection:
        found = await folders.of_user(connection, session.user_id)
    return FoldersView(folders=[_view(folder) for folder in found])


@router.post("", status_code=201)
async def add(gateway: Gateway, session: SignedIn, request: FolderRequest) -> FolderView:
    async with gateway.database.transaction() as connection:
        if not await users.ensure(connection, session.user_id, is_guest=session.is_guest):
            raise ApiError("unauthorized:chat", users.GONE)
        folder = await folders.add(connection, session.user_id, request.name, MOST)
    if folder is None:
        raise ApiError("rate_limit:folder", f"at most {MOST}")
    return _view(folder)


@router.patch("/{folder_id}")
async def change(
    gateway: Gateway, session: SignedIn, folder_id: Id, patch: FolderPatch
) -> FolderView:
    folder = await own_folder(gateway, folder_id, session.user_id)
    if patch.team_id is not None:
        await joined_team(gateway, patch.team_id, session.user_id)
    team_id = patch.team_id if "team_id" in patch.model_fields_set else folder.team_id
    async with gateway.database.connection() as connection:
        changed = await folders.change(connection, folder, patch.name or folder.name, team_id)
    if changed is None:
        raise ApiError("not_found:folder")
    return _view(changed)


@router.delete("/{folder_id}")
async def delete(gateway: Gateway, session: SignedIn, folder_id: Id) -> FolderView:
    """Its chats stay."""
    async with gateway.database.connection() as connection:
        folder = await folders.delete(connection, folder_id, session.user_id)
    if folder is None:
        raise ApiError("not_found:folder")
    return _view(folder)


def _view(folder: Folder) -> FolderView:
    return FolderView.model_validate(folder, from_attributes=True)
