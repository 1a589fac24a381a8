"""Asking: a question in, an answer streamed out. Deleting and renaming chats."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from raylm_apps.gateway.allowance import Allowance, Asker
from raylm_apps.gateway.answer_log import AnswerKey
from raylm_apps.gateway.approval import Continuation, Decision, decisions_of
from raylm_apps.gateway.auth import SignedIn
from raylm_apps.gateway.conversation import Conversation
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.exchange import Exchange, begin_exchange, continue_exchange
from raylm_apps.gateway.files.attachments import load_attachments, settle_files
from raylm_apps.gateway.files.generated import GeneratedFiles
from raylm_apps.gateway.following import follow, news
from raylm_apps.gateway.generation import Generation, ToolLimits, metadata_of
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.routes.access import joined_team, own_chat, own_folder
from raylm_apps.gateway.routing.routed import RoutedProvider
from raylm_apps.gateway.services import Gateway, Services
from raylm_apps.gateway.sse import STREAM, batches_as_sse, parts_as_sse, sse_response
from raylm_apps.gateway.store import chats, messages
from raylm_apps.gateway.store.messages import Status
from raylm_apps.gateway.streams import BEGINNING, BLOCK_MS
from raylm_apps.gateway.titles import NewChat, Titling
from raylm_apps.gateway.ui_message import replay
from raylm_apps.gateway.wire.base import Id
from raylm_apps.gateway.wire.chat import ChatPatch, ChatView, chat_view
from raylm_apps.gateway.wire.question import ChatRequest

router = APIRouter(prefix="/api/chat", tags=["chat"])


@router.post("", response_class=StreamingResponse, responses={200: STREAM})
async def ask(asker: Asker, request: ChatRequest) -> StreamingResponse:
    """Streams the answer as an AI SDK UI message. Posting a question again follows its answer.

    `messages` that end with an answer whose calls were allowed or denied let that answer go on.
    """
    with asker.seat() as seat:
        async with asker as allowance:
            if decisions := decisions_of(request):
                answer = await _go_on(allowance, request, decisions)
            else:
                answer = await _begin(allowance, request)
        return seat.keep_until_sent(answer)


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
    return chat_view(chat)


@router.patch("/{chat_id}")
async def change(gateway: Gateway, session: SignedIn, chat_id: Id, patch: ChatPatch) -> ChatView:
    await own_chat(gateway, chat_id, session.user_id)
    if patch.folder_id is not None:
        await own_folder(gateway, patch.folder_id, session.user_id)
    if patch.team_id is not None:
        await joined_team(gateway, patch.team_id, session.user_id)
    async with gateway.database.connection() as connection:
        chat = await chats.update(connection, chat_id, session.user_id, patch.changes())
    if chat is None:
        raise ApiError("not_found:chat")
    return chat_view(chat)


async def _begin(allowance: Allowance, request: ChatRequest) -> StreamingResponse:
    gateway, session = allowance.gateway, allowance.session
    question = request.question(gateway.settings.max_text_chars)
    question = await settle_files(gateway.uploads, session, question)
    provider, model = await gateway.catalog.resolve(request.selected_chat_model, session)
    refusal = await allowance.take(model, request.id, question)
    exchange = await begin_exchange(
        gateway.database, session, request, question, model.id, refusal=refusal
    )
    if exchange.is_repeat:
        return await _follow_earlier(gateway, exchange)
    return await _start(allowance, request, exchange, provider, model)


async def _go_on(
    allowance: Allowance, request: ChatRequest, decisions: dict[str, Decision]
) -> StreamingResponse:
    assert request.messages
    gateway, user_id = allowance.gateway, allowance.session.user_id
    message_id = request.messages[-1].id
    chat = await own_chat(gateway, request.id, user_id)
    async with gateway.database.connection() as connection:
        answer = await messages.find(connection, chat.id, message_id)
    model_id = answer.model if answer else None
    provider, model = await gateway.catalog.resolve(model_id, allowance.session)
    refusal = await allowance.take(model, chat.id)
    exchange = await continue_exchange(
        gateway.database, user_id, chat.id, message_id, decisions, refusal=refusal
    )
    if exchange.is_repeat:
        return await _follow_earlier(gateway, exchange)
    return await _start(allowance, request, exchange, provider, model)


async def _start(
    allowance: Allowance,
    request: ChatRequest,
    exchange: Exchange,
    provider: RoutedProvider,
    model: ModelCard,
) -> StreamingResponse:
    gateway, user_id = allowance.gateway, allowance.session.user_id
    settings, is_continued = gateway.settings, bool(exchange.decided_calls)
    toolbox = gateway.tools.toolbox(model, approvals=request.tool_approval or is_continued)
    definitions = [offered.definition for offered in toolbox.values()]
    attachments = await load_attachments(gateway.uploads, user_id, exchange.path, model)
    answer_tokens = settings.max_answer_tokens
    key = AnswerKey(exchange.answer.chat_id, exchange.answer.id)
    generation = Generation(
        exchange.answer,
        Conversation(
            exchange.path,
            model,
            user_id,
            answer_tokens,
            definitions,
            attachments,
            request.reset_step,
        ),
        allowance.metered(provider),
        toolbox,
        ToolLimits(settings.max_tool_steps, settings.max_tool_result_chars),
        keep_file=GeneratedFiles(gateway.uploads, allowance.session, key).keep,
        titling=_titling(allowance, exchange, model),
        streams=gateway.stream_writer,
        answers=gateway.answers,
        metrics=gateway.metrics,
        tool_watch=gateway.tool_watch,
    )
    allowance.lasts_until_end_of(gateway.generations.start(generation))
    return sse_response(generation.log.follow(settings.heartbeat_s, news_only=is_continued))


def _titling(allowance: Allowance, exchange: Exchange, model: ModelCard) -> Titling | None:
    if exchange.new_title is None:
        return None
    gateway, session = allowance.gateway, allowance.session
    chat = NewChat(exchange.answer.chat_id, allowance.payer, exchange.new_title, session)
    return gateway.titles.titling(chat, exchange.path[-1].text or chat.title, model)


async def _follow_earlier(gateway: Services, exchange: Exchange) -> StreamingResponse:
    """The answer that another request has begun, wherever it is written, or what came of it."""
    settings, answer = gateway.settings, exchange.answer
    key, decided = AnswerKey(answer.chat_id, answer.id), exchange.decided_calls
    generation = gateway.generations.find(key)
    if generation is not None:
        return sse_response(generation.log.follow(settings.heartbeat_s, news_only=bool(decided)))
    if answer.status is Status.STREAMING and await gateway.streams.is_up():
        batches = follow(gateway, key, BEGINNING)
        if decided:
            batches = news(batches, Continuation(decided))
        return sse_response(batches_as_sse(batches, BLOCK_MS / 1000, settings.heartbeat_s))
    parts = replay(answer.id, answer.parts, metadata_of(answer))
    if decided:
        continuation = Continuation(decided)
        parts = [part for part in parts if continuation.is_news(part)]
    return sse_response(parts_as_sse(parts))
