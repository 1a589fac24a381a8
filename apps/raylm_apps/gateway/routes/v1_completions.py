"""OpenAI's completions, of chats and of plain texts, by any model of any provider."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from raylm.core.wire.openai import CompletionRequest, ErrorBody
from raylm.core.wire.openai.chat_request import ChatRequest
from raylm_apps.gateway.inbound.answer_cache import Ttl
from raylm_apps.gateway.inbound.caller import Caller
from raylm_apps.gateway.inbound.frames import OPENAI
from raylm_apps.gateway.inbound.openai_call import OpenAICall
from raylm_apps.gateway.inbound.openai_translations import ChatTranslation, CompletionTranslation
from raylm_apps.gateway.inbound.opening import Opening
from raylm_apps.gateway.inbound.program_route import ProgramRequest, ProgramRoute

router = APIRouter(
    prefix="/v1",
    tags=["openai"],
    route_class=ProgramRoute,
    responses={"4XX": {"model": ErrorBody}, "5XX": {"model": ErrorBody}},
)
ANSWER: dict[str, Any] = {
    "description": "the completion, or with `stream` its chunks",
    "content": {"application/json": {}, "text/event-stream": {}},
}


@router.post("/chat/completions", responses={200: ANSWER})
async def complete(
    caller: Caller, http: ProgramRequest, request: ChatRequest, cache_s: Ttl = 0
) -> Response:
    body = await http.json()
    call = OpenAICall(ChatTranslation(request, body), body)
    async with caller as allowance:
        opening = Opening(allowance, OPENAI, cache_s=cache_s)
        return await opening.respond(http, request.model, call)


@router.post("/completions", responses={200: ANSWER})
async def complete_text(
    caller: Caller, http: ProgramRequest, request: CompletionRequest, cache_s: Ttl = 0
) -> Response:
    call = OpenAICall(CompletionTranslation(request), await http.json())
    async with caller as allowance:
        opening = Opening(allowance, OPENAI, cache_s=cache_s)
        return await opening.respond(http, request.model, call)
