"""The models that can be asked."""

from fastapi import APIRouter

from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.wire.model import Capabilities, ModelsView, ModelView

router = APIRouter(prefix="/api/models", tags=["models"])


@router.get("")
async def read(gateway: Gateway) -> ModelsView:
    cards = await gateway.catalog.cards()
    default = await gateway.catalog.default()
    return ModelsView(
        default=default.id if default else None,
        models=[_view(card) for card in cards],
        capabilities={card.id: _capabilities(card) for card in cards},
    )


def _view(card: ModelCard) -> ModelView:
    return ModelView(
        id=card.id,
        name=card.name,
        provider=card.provider,
        capabilities=_capabilities(card),
        chat_template=card.chat_template,
        context_tokens=card.context_tokens,
    )


def _capabilities(card: ModelCard) -> Capabilities:
    return Capabilities(tools=card.tools, reasoning=card.reasoning, vision=card.vision)
