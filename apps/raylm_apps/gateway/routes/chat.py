"""Asking: a question in, an answer streamed out. Deleting and renaming chats."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from raylm_apps.gateway.answer_log import AnswerKey
from raylm_apps.gateway.auth import SignedIn
from raylm_apps.gateway.conversation import prompt_turns
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.exchange import Exchange, begin_exchange
from raylm_apps.gateway.files.attachments import Attachments, load_attachments, settle_files
from raylm_apps.gateway.following import follow
from raylm_apps.gateway.generation import Generation, metadata_of
from raylm_apps.gateway.providers.base import ModelCard, Prompt, Provider
from raylm_apps.gateway.routes.access import own_chat
from raylm_apps.gateway.schemas import ChatPatch, ChatRequest, ChatView, Id
from raylm_apps.gateway.services import Gateway, Services
from raylm_apps.gateway.sse import batches_as_sse, parts_as_sse, sse_response
from raylm_apps.gateway.store import chats
from raylm_apps.gateway.store.messages import Message, Status
from raylm_apps.gateway.streams import BEGINNING, BLOCK_MS
from raylm_apps.gateway.ui_message import replay

router = APIRouter(prefix="/api/chat", tags=["chat"])


@router.post("", response_class=StreamingResponse)
async def ask(gateway: Gateway, session: SignedIn, request: ChatRequest) -> StreamingResponse:
    """Streams the answer as an AI SDK UI message. Posting a question again follows its answer."""
    settings = gateway.settings
    question = request.question(settings.max_text_chars)
    question = await settle_files(gateway.uploads, session.user_id, question)
    provider, model = await gateway.catalog.resolve(request.selected_chat_model)
    writing = len(gateway.generations.of_user(session.user_id))
    if settings.limits == "on" and writing >= settings.max_answers_per_user:
        raise ApiError("rate_limit:chat", f"at most {settings.max_answers_per_user} at a time")
    exchange = await begin_exchange(gateway.database, session.user_id, request, question, model.id)
    if exchange.is_repeat:
        return await _follow_earlier(gateway, exchange.answer)
    attachments = await load_attachments(gateway.uploads, session.user_id, exchange.path, model)
    generation = _generation(gateway, session.user_id, exchange, provider, model, attachments)
    gateway.generations.start(generation)
    return sse_response(generation.log.follow(settings.heartbeat_s))


@router.delete("")
async def delete(
    gateway: Gateway, session: SignedIn, chat_id: Annotated[Id, Query(alias="id")]
) -> ChatView:
    """The chat, its messages and whatever is being written in it."""
    await own_chat(gateway, chat_id, session.user_id)
    await gateway.generations.stop_chats({chat_id})
    async with gateway.database.connection() as connection:
        chat = await chats.delete(connection, chat_id, session.user_id)
    if chat is None:
        raise ApiError("not_found:chat")
    return ChatView(**vars(chat))


@router.patch("/{chat_id}")
async def change(gateway: Gateway, session: SignedIn, chat_id: Id, patch: ChatPatch) -> ChatView:
    await own_chat(gateway, chat_id, session.user_id)
    async with gateway.database.connection() as connection:
        chat = await chats.update(
            connection, chat_id, session.user_id, patch.title, patch.visibility
        )
    if chat is None:
        raise ApiError("not_found:chat")
    return ChatView(**vars(chat))


def _generation(
    gateway: Services,
    user_id: str,
    exchange: Exchange,
    provider: Provider,
    model: ModelCard,
    attachments: Attachments,
) -> Generation:
    answer_tokens = gateway.settings.max_answer_tokens
    turns = prompt_turns(exchange.path, model.context_tokens, answer_tokens, attachments)
    return Generation(
        exchange.answer,
        user_id,
        provider,
        Prompt(model, turns, user_id),
        title=exchange.chat.title if exchange.is_new_chat else None,
        streams=gateway.stream_writer,
        answers=gateway.answers,
        metrics=gateway.metrics,
    )


async def _follow_earlier(gateway: Services, answer: Message) -> StreamingResponse:
    """The answer that another request has begun, wherever it is written, or what came of it."""
    settings = gateway.settings
    key = AnswerKey(answer.chat_id, answer.id)
    generation = gateway.generations.find(key)
    if generation is not None:
        return sse_response(generation.log.follow(settings.heartbeat_s))
    if answer.status is Status.STREAMING and await gateway.streams.is_up():
        batches = follow(gateway, key, BEGINNING)
        return sse_response(batches_as_sse(batches, BLOCK_MS / 1000, settings.heartbeat_s))
    parts = replay(answer.id, answer.parts, metadata_of(answer))
    return sse_response(parts_as_sse(parts))
