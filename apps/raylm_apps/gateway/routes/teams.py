"""Teams, their members, and what is shared with them."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from raylm_apps.gateway.accounts.email_address import Email
from raylm_apps.gateway.auth import SignedIn
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.routes.access import joined_team
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.store import chats, history, teams
from raylm_apps.gateway.store.teams import Member, Team
from raylm_apps.gateway.wire.base import Id, Title, Wire
from raylm_apps.gateway.wire.chat import chat_view
from raylm_apps.gateway.wire.history import HistoryView, ListedChatView

router = APIRouter(prefix="/api/teams", tags=["teams"])


class TeamRequest(Wire):
    name: Title


class MemberRequest(Wire):
    email: Email


class TeamView(Wire):
    id: str
    name: str
    owner_id: str
    created_at: datetime


class TeamsView(Wire):
    teams: list[TeamView]


class MemberView(Wire):
    user_id: str
    name: str | None
    email: str | None = Field(description="for the team's owner")
    joined_at: datetime


class MembersView(Wire):
    members: list[MemberView]


@router.get("")
async def read(gateway: Gateway, session: SignedIn) -> TeamsView:
    """Those that one is a member of."""
    async with gateway.database.connection() as connection:
        found = await teams.of_member(connection, session.user_id)
    return TeamsView(teams=[_view(team) for team in found])


@router.post("", status_code=201)
async def add(gateway: Gateway, session: SignedIn, request: TeamRequest) -> TeamView:
    async with gateway.database.transaction() as connection:
        team = await teams.add(connection, session.user_id, request.name)
    if team is None:
        raise ApiError("forbidden:team")
    return _view(team)


@router.delete("/{team_id}")
async def delete(gateway: Gateway, session: SignedIn, team_id: Id) -> TeamView:
    """By its owner. What was shared with it stays its owners'."""
    async with gateway.database.connection() as connection:
        team = await teams.delete(connection, team_id, session.user_id)
    if team is None:
        raise ApiError("not_found:team")
    return _view(team)


@router.get("/{team_id}/chats")
async def shared(
    gateway: Gateway,
    session: SignedIn,
    team_id: Id,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ending_before: Annotated[Id | None, Query(description="chats older than this one")] = None,
) -> HistoryView:
    """What its members have shared, newest first."""
    await joined_team(gateway, team_id, session.user_id)
    async with gateway.database.connection() as connection:
        edge = None
        if ending_before is not None:
            cursor = await chats.find(connection, ending_before, session.user_id)
            if cursor is None or not cursor.is_readable:
                raise ApiError("not_found:history")
            edge = cursor.chat
        found = await history.of_team(connection, team_id, session.user_id, limit + 1, edge)
    return HistoryView(
        chats=[ListedChatView(**vars(chat_view(chat))) for chat in found[:limit]],
        has_more=len(found) > limit,
    )


@router.get("/{team_id}/members")
async def read_members(gateway: Gateway, session: SignedIn, team_id: Id) -> MembersView:
    await joined_team(gateway, team_id, session.user_id)
    async with gateway.database.connection() as connection:
        found = await teams.members(connection, team_id, session.user_id)
    return MembersView(members=[_member(member) for member in found])


@router.post("/{team_id}/members", status_code=201)
async def add_member(
    gateway: Gateway, session: SignedIn, team_id: Id, request: MemberRequest
) -> MembersView:
    """An account, by its address; by the team's owner."""
    team = await joined_team(gateway, team_id, session.user_id)
    if team.owner_id != session.user_id:
        raise ApiError("not_found:team")
    async with gateway.database.connection() as connection:
        added = await teams.add_member(connection, team_id, session.user_id, request.email)
        if added is None:
            raise ApiError("not_found:user", request.email)
        found = await teams.members(connection, team_id, session.user_id)
    gateway.budgets.book.forget()
    return MembersView(members=[_member(member) for member in found])


@router.delete("/{team_id}/members/{user_id}")
async def remove_member(
    gateway: Gateway, session: SignedIn, team_id: Id, user_id: Id
) -> dict[str, bool]:
    """By the owner, or by oneself; what they had shared with the team is shared no more."""
    await joined_team(gateway, team_id, session.user_id)
    async with gateway.database.transaction() as connection:
        removed = await teams.remove_member(connection, team_id, user_id, session.user_id)
    if not removed:
        raise ApiError("not_found:user", "not a member whom you can remove")
    gateway.budgets.book.forget()
    return {"success": True}


def _view(team: Team) -> TeamView:
    return TeamView.model_validate(team, from_attributes=True)


def _member(member: Member) -> MemberView:
    return MemberView.model_validate(member, from_attributes=True)
