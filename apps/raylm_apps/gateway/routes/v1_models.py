"""The models and groups that one may ask, for OpenAI's clients."""

import time

from fastapi import APIRouter

from raylm.core.wire.openai import ErrorBody
from raylm_apps.gateway.inbound.caller import Caller
from raylm_apps.gateway.wire.model import V1ModelsView, V1ModelView

STARTED_AT = int(time.time())
router = APIRouter(
    prefix="/v1/models",
    tags=["openai"],
    responses={"4XX": {"model": ErrorBody}, "5XX": {"model": ErrorBody}},
)


@router.get("")
async def read(caller: Caller) -> V1ModelsView:
    """For sessions and API keys; `created` is when the gateway started, for nobody tells."""
    cards = await caller.gateway.catalog.cards(caller.session, embeds=True)
    return V1ModelsView(
        data=[
            V1ModelView(
                id=card.id,
                created=STARTED_AT,
                owned_by=card.provider,
                max_model_len=card.context_tokens,
            )
            for card in cards
        ]
    )
