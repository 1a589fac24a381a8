"""Thumbs up or down, by a chat's owner."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse

from raylm_apps.gateway.auth import SignedIn
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.routes.access import own_chat
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.store import votes
from raylm_apps.gateway.store.votes import Vote
from raylm_apps.gateway.wire.base import Id, MessageId, Wire

router = APIRouter(prefix="/api/vote", tags=["votes"])


class VoteRequest(Wire):
    chat_id: Id
    message_id: MessageId
    type: Literal["up", "down"]


class VoteView(Wire):
    chat_id: str
    message_id: str
    is_upvoted: bool


@router.get("")
async def read(
    gateway: Gateway, session: SignedIn, chat_id: Annotated[Id, Query(alias="chatId")]
) -> list[VoteView]:
    await own_chat(gateway, chat_id, session.user_id, refusal="forbidden:vote")
    async with gateway.database.connection() as connection:
        found = await votes.of_chat(connection, chat_id, session.user_id)
    return [VoteView.model_validate(vote, from_attributes=True) for vote in found]


@router.patch("", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def cast(gateway: Gateway, session: SignedIn, request: VoteRequest) -> PlainTextResponse:
    """A second vote replaces the first."""
    await own_chat(gateway, request.chat_id, session.user_id, refusal="forbidden:vote")
    vote = Vote(request.chat_id, request.message_id, request.type == "up")
    async with gateway.database.connection() as connection:
        if not await votes.cast(connection, vote, session.user_id):
            raise ApiError("not_found:message")
    return PlainTextResponse("Message voted")
