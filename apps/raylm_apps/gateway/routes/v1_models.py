"""The models and groups that one may ask, for OpenAI's clients."""

import time

from fastapi import APIRouter

from raylm_apps.gateway.auth import SignedIn
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.wire.model import V1ModelsView, V1ModelView

STARTED_AT = int(time.time())
router = APIRouter(prefix="/v1/models", tags=["v1"])


@router.get("")
async def read(gateway: Gateway, session: SignedIn) -> V1ModelsView:
    """For sessions and API keys; `created` is when the gateway started, for nobody tells."""
    cards = await gateway.catalog.cards(session)
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
