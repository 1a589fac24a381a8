"""The models and groups that one may ask."""

from fastapi import APIRouter

from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.auth import MaybeUser
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.wire.model import Capabilities, ModelsView, ModelView, PricesView

router = APIRouter(prefix="/api/models", tags=["models"])


@router.get("")
async def read(gateway: Gateway, session: MaybeUser) -> ModelsView:
    """Those that a guest may use, for whoever is nobody yet."""
    asker = session or Session.for_new_guest()
    cards = await gateway.catalog.cards(asker)
    default = await gateway.catalog.default(asker)
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
        prices=PricesView(**vars(card.prices)) if card.prices else None,
    )


def _capabilities(card: ModelCard) -> Capabilities:
    return Capabilities(tools=card.tools, reasoning=card.reasoning, vision=card.vision)
