"""How long a prompt is, in Anthropic's format, for any model."""

from fastapi import APIRouter, Response

from raylm.core.wire.anthropic.message import TokenCount
from raylm.core.wire.anthropic.request_decoder import prompt_of
from raylm.core.wire.anthropic.requests import CountRequest
from raylm_apps.gateway.budgets.estimate import prompt_tokens
from raylm_apps.gateway.inbound.caller import Caller
from raylm_apps.gateway.inbound.messages_errors import MessagesErrorView

router = APIRouter(
    prefix="/v1/messages/count_tokens",
    tags=["v1"],
    responses={"4XX": {"model": MessagesErrorView}, "5XX": {"model": MessagesErrorView}},
)


@router.post("")
async def count(caller: Caller, body: CountRequest, response: Response) -> TokenCount:
    """As the model's provider counts; of those that do not, as budgets estimate a prompt."""
    prompt = prompt_of(body)
    async with caller as allowance:
        await allowance.take_turn()
        provider, _ = await allowance.gateway.catalog.find(body.model, allowance.session)
        counted = await provider.count_tokens(prompt)
    response.headers["x-raylm-tokens"] = "estimated" if counted is None else "counted"
    return TokenCount(input_tokens=prompt_tokens(prompt) if counted is None else counted)
