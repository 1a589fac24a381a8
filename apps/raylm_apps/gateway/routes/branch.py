"""Choosing the branch of a chat that is seen and continued."""

from fastapi import APIRouter

from raylm_apps.gateway.auth import SignedIn
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.routes.access import own_chat
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.store import branches
from raylm_apps.gateway.wire.base import Id, MessageId, Wire

router = APIRouter(prefix="/api/chat/{chat_id}/branch", tags=["chat"])


class BranchRequest(Wire):
    message_id: MessageId


class BranchView(Wire):
    leaf_id: str


@router.post("")
async def choose(
    gateway: Gateway, session: SignedIn, chat_id: Id, request: BranchRequest
) -> BranchView:
    """The branch through a message, down to the newest below it; the next question follows that."""
    await own_chat(gateway, chat_id, session.user_id)
    async with gateway.database.transaction() as connection:
        leaf_id = await branches.leaf_id(connection, chat_id, request.message_id)
        if leaf_id is None:
            raise ApiError("not_found:message")
        await branches.activate(connection, chat_id, session.user_id, request.message_id)
    return BranchView(leaf_id=leaf_id)
