"""Anthropic's messages API, of any model."""

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from raylm.core.wire.anthropic.message import TokenCount
from raylm.core.wire.anthropic.request_decoder import prompt_of
from raylm.core.wire.anthropic.requests import CountRequest, MessagesRequest
from raylm_apps.gateway.budgets.estimate import prompt_tokens
from raylm_apps.gateway.inbound.answer_cache import Ttl
from raylm_apps.gateway.inbound.caller import Caller
from raylm_apps.gateway.inbound.messages_call import MessagesCall
from raylm_apps.gateway.inbound.messages_errors import (
    MessagesErrorView,
    MessagesRoute,
    error_frame,
)
from raylm_apps.gateway.inbound.opening import Opening
from raylm_apps.gateway.inbound.presence import while_there

ANSWER = {"description": "a message, or its events", "content": {"text/event-stream": {}}}
FAILURE: dict[str, Any] = {"model": MessagesErrorView}
router = APIRouter(
    prefix="/v1/messages",
    tags=["v1"],
    route_class=MessagesRoute,
    responses={"4XX": FAILURE, "5XX": FAILURE},
)


@router.post("", response_model=None, responses={200: ANSWER})
async def create(
    http: Request, caller: Caller, body: MessagesRequest, cache_s: Ttl = 0
) -> Response:
    """The status is sent with the first event; who leaves ends the answer."""
    call = MessagesCall(body, orjson.loads(await http.body()), caller.session.user_id)
    async with caller as allowance:
        opening = Opening(allowance, error_frame, cache_s=cache_s)
        return await opening.respond(http, body.model, call)


@router.post("/count_tokens")
async def count(
    http: Request, caller: Caller, body: CountRequest, response: Response
) -> TokenCount:
    """As the model's provider counts; of those that do not, as budgets estimate a prompt."""
    prompt = prompt_of(body)
    async with caller as allowance:
        await allowance.take_turn()
        provider, _ = await allowance.gateway.catalog.find(body.model, allowance.session)
        counted = await while_there(http, provider.count_tokens(prompt))
    response.headers["x-raylm-tokens"] = "estimated" if counted is None else "counted"
    return TokenCount(input_tokens=prompt_tokens(prompt) if counted is None else counted)
