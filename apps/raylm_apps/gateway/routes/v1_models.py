"""The models and groups that one may ask, for OpenAI's clients and for Anthropic's."""

import time
from typing import Annotated

from fastapi import APIRouter, Header, Query

from raylm.core.wire.anthropic.models import ModelInfo, ModelPage
from raylm.core.wire.openai import ErrorBody
from raylm_apps.gateway.inbound.caller import Caller
from raylm_apps.gateway.inbound.error_shapes import FROM_ANTHROPIC
from raylm_apps.gateway.inbound.messages_errors import MessagesErrorView
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.wire.model import V1ModelsView, V1ModelView

STARTED_AT = int(time.time())
PAGE, MOST_OF_PAGE = 20, 1_000
Version = Annotated[str, Header(alias=FROM_ANTHROPIC, description="asks for Anthropic's format")]


FAILURE = {"model": ErrorBody | MessagesErrorView}
router = APIRouter(
    prefix="/v1/models",
    tags=["openai"],
    responses={"4XX": FAILURE, "5XX": FAILURE},
)


@router.get("")
async def read(
    caller: Caller,
    version: Version = "",
    limit: Annotated[int, Query(ge=1, le=MOST_OF_PAGE)] = PAGE,
    after_id: str = "",
    before_id: str = "",
) -> V1ModelsView | ModelPage:
    """For sessions and API keys. Only Anthropic's format has pages."""
    cards = await caller.gateway.catalog.cards(caller.session, embeds=True)
    if version:
        models = [_info(card) for card in cards if not card.embeds]
        return ModelPage.of(models, limit, after_id=after_id, before_id=before_id)
    return V1ModelsView(data=[_view(card) for card in cards])


@router.get("/{model_id:path}")
async def read_one(caller: Caller, model_id: str, version: Version = "") -> V1ModelView | ModelInfo:
    _, card = await caller.gateway.catalog.find(model_id, caller.session)
    return _info(card) if version else _view(card)


def _view(card: ModelCard) -> V1ModelView:
    """`created` is when the gateway started, for nobody tells."""
    return V1ModelView(
        id=card.id,
        created=STARTED_AT,
        owned_by=card.provider,
        max_model_len=card.context_tokens,
    )


def _info(card: ModelCard) -> ModelInfo:
    return ModelInfo(id=card.id, display_name=card.name, max_input_tokens=card.context_tokens)
