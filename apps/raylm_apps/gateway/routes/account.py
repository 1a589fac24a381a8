"""All of a user's data: taking it along, and deleting it."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from raylm_apps.gateway.answer_log import AnswerKey
from raylm_apps.gateway.archive import archive_of
from raylm_apps.gateway.auth import COOKIE, SignedIn
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.export import export_of
from raylm_apps.gateway.redis_client import UNAVAILABLE
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.stopping import stop_user
from raylm_apps.gateway.store import answers, users

Kind = Literal["json", "zip"]
logger = structlog.get_logger()
router = APIRouter(prefix="/api/account", tags=["account"])


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/json": {}, "application/zip": {}}}},
)
async def export(
    gateway: Gateway,
    session: SignedIn,
    kind: Annotated[
        Kind, Query(alias="format", description="zip: with the bytes of files")
    ] = "json",
) -> StreamingResponse:
    """One JSON document: profile, ways in, sessions, API keys (not the keys themselves), folders,
    teams, usage, documents, chats with every branch and vote. In a zip archive it is
    `raylm-export.json`, beside `files/{id}-{name}`."""
    name = f"raylm-export-{datetime.now(UTC):%Y-%m-%d}.{kind}"
    is_archive = kind == "zip"
    await gateway.budgets.flush()
    return StreamingResponse(
        archive_of(gateway.uploads, session.user_id)
        if is_archive
        else export_of(gateway.database, session.user_id),
        media_type="application/zip" if is_archive else "application/json",
        headers={
            "content-disposition": f'attachment; filename="{name}"',
            "cache-control": "no-store",
        },
    )


@router.delete("")
async def delete(gateway: Gateway, session: SignedIn, response: Response) -> dict[str, bool]:
    """The user and everything that is theirs, sessions and API keys too, at once; what is being
    written is stopped first. Not for programs with a key."""
    if session.key_id is not None:
        raise ApiError("forbidden:auth", "sign in to delete the account")
    await stop_user(gateway, session.user_id)
    async with gateway.database.transaction() as connection:
        ttl_s = gateway.settings.stream_ttl_s
        streams = await answers.recent(connection, session.user_id, ttl_s)
        await users.delete(connection, session.user_id)
    gateway.sessions.forget(session.user_id)
    try:
        await gateway.streams.forget([AnswerKey(*key) for key in streams])
    except UNAVAILABLE as error:
        logger.warning("streams of a deleted user stay until they expire", error=str(error))
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return {"success": True}
