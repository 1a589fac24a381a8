"""Following an answer in flight from any position, and stopping it."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import WithJsonSchema

from raylm_apps.gateway.answer_log import EVENT_ID, AnswerKey, EventId
from raylm_apps.gateway.auth import ClientAddress, SignedIn
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.following import follow
from raylm_apps.gateway.redis_client import UNAVAILABLE
from raylm_apps.gateway.routes.access import own_chat, readable_chat
from raylm_apps.gateway.services import Gateway, Services
from raylm_apps.gateway.sse import STREAM, batches_as_sse, sse_response
from raylm_apps.gateway.stopping import stop_elsewhere
from raylm_apps.gateway.store import messages
from raylm_apps.gateway.store.messages import Status
from raylm_apps.gateway.streams import BEGINNING, BLOCK_MS
from raylm_apps.gateway.wire.base import Id
from raylm_apps.gateway.wire.question import StopRequest

router = APIRouter(prefix="/api/chat/{chat_id}", tags=["chat"])
LastEventId = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "pattern": EVENT_ID, "examples": ["1767225600000-7"]}),
]


@router.get(
    "/stream",
    response_class=Response,
    responses={200: STREAM, 204: {"description": "nothing is being written"}},
)
async def resume(
    gateway: Gateway,
    session: SignedIn,
    address: ClientAddress,
    chat_id: Id,
    offset: Annotated[int | None, Query(ge=0, le=10**9, description="skip so many parts")] = None,
    last_event_id: Annotated[LastEventId, Header()] = None,
) -> Response:
    """The active answer's stream: from its beginning, or from where the reader was cut off.

    A reader who gives a position gets the rest even of an answer that has ended meanwhile.
    """
    rooms = gateway.entitlements.readers_at_once(session, address)
    with gateway.readers.seat(*rooms) as seat:
        await readable_chat(gateway, chat_id, session.user_id)
        return seat.keep_until_sent(await _rest(gateway, chat_id, offset, last_event_id))


@router.post("/stop")
async def stop(
    gateway: Gateway, session: SignedIn, chat_id: Id, request: StopRequest | None = None
) -> dict[str, bool]:
    """Cancels the model's work and keeps what it wrote. `success` is false where nothing was."""
    wanted = request.message_id if request is not None else None
    for generation in gateway.generations.of_user(session.user_id, chat_id):
        if wanted in (None, generation.key.message_id):
            return {"success": await gateway.generations.stop(generation.key)}
    await own_chat(gateway, chat_id, session.user_id)
    async with gateway.database.connection() as connection:
        answer = await messages.newest_answer(connection, chat_id)
    if answer is None or answer.status is not Status.STREAMING or wanted not in (None, answer.id):
        return {"success": False}
    return {"success": await stop_elsewhere(gateway, AnswerKey(chat_id, answer.id))}


async def _rest(
    gateway: Services, chat_id: str, offset: int | None, last_event_id: str | None
) -> Response:
    async with gateway.database.connection() as connection:
        answer = await messages.newest_answer(connection, chat_id)
    has_position = bool(offset) or last_event_id is not None
    if answer is None or not (answer.status is Status.STREAMING or has_position):
        return Response(status_code=204)
    key = AnswerKey(chat_id, answer.id)
    try:
        after = await _position(gateway, key, offset, last_event_id)
        coming = await gateway.streams.peek(key, after)
    except UNAVAILABLE:
        return Response(status_code=204)
    if not coming.events and (coming.ending or answer.status is not Status.STREAMING):
        return Response(status_code=204)
    batches = follow(gateway, key, after)
    return sse_response(batches_as_sse(batches, BLOCK_MS / 1000, gateway.settings.heartbeat_s))


async def _position(
    gateway: Services, key: AnswerKey, offset: int | None, last_event_id: str | None
) -> EventId:
    if last_event_id is not None:
        try:
            return EventId.parse(last_event_id)
        except ValueError:
            raise ApiError("bad_request:stream", "Last-Event-ID is not an event's id") from None
    return await gateway.streams.skip(key, offset) if offset else BEGINNING
