"""Anthropic's messages API, of any model."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from raylm.core.wire.anthropic.message import TokenCount
from raylm.core.wire.anthropic.requests import CountRequest, MessagesRequest
from raylm_apps.gateway.budgets.estimate import prompt_tokens
from raylm_apps.gateway.inbound.answer_cache import Ttl
from raylm_apps.gateway.inbound.caller import Caller
from raylm_apps.gateway.inbound.frames import ANTHROPIC
from raylm_apps.gateway.inbound.messages_call import MessagesCall, asked_prompt
from raylm_apps.gateway.inbound.messages_errors import MessagesErrorView
from raylm_apps.gateway.inbound.opening import Opening
from raylm_apps.gateway.inbound.program_route import ProgramRequest, ProgramRoute

ANSWER = {"description": "a message, or its events", "content": {"text/event-stream": {}}}
FAILURE: dict[str, Any] = {"model": MessagesErrorView}
router = APIRouter(
    prefix="/v1/messages",
    tags=["v1"],
    route_class=ProgramRoute,
    responses={"4XX": FAILURE, "5XX": FAILURE},
)


@router.post("", response_model=None, responses={200: ANSWER})
async def create(
    http: ProgramRequest, caller: Caller, request: MessagesRequest, cache_s: Ttl = 0
) -> Response:
    """The status is sent with the first event; who leaves ends the answer."""
    call = MessagesCall(request, await http.json(), caller.session.user_id)
    async with caller as allowance:
        opening = Opening(allowance, ANTHROPIC, cache_s=cache_s)
        return await opening.respond(http, request.model, call)


@router.post("/count_tokens", response_model=TokenCount)
async def count(http: ProgramRequest, caller: Caller, request: CountRequest) -> Response:
    """As the model's provider counts; of those that do not, as budgets estimate a prompt."""
    prompt = asked_prompt(request)
    async with caller as allowance:
        await allowance.take_turn()
        provider, _ = await allowance.gateway.catalog.find(request.model, allowance.session)
        counted = await provider.count_tokens(prompt)
    tokens = prompt_tokens(prompt) if counted is None else counted
    how = "estimated" if counted is None else "counted"
    return JSONResponse({"input_tokens": tokens}, headers={"x-raylm-tokens": how})
