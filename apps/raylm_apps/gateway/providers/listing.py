"""Every model of every provider, by id."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.providers.base import Catalogue, ModelCard, Provider, ProviderError

FRESH_S = 30.0
SOON_S = 1.0


class Listing:
    """`named` are there whether or not their provider lists them, `changes` are to what it says,
    and the providers in `fixed` are not asked: they have what is named."""

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        named: Sequence[ModelCard] = (),
        changes: Mapping[str, Mapping[str, Any]] | None = None,
        fixed: frozenset[str] = frozenset(),
    ) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._named = named
        self._changes = changes or {}
        self._fixed = fixed
        self._seen = {name: Catalogue(self._complete(name, ())) for name in self._providers}

    async def refresh(self) -> None:
        """A provider that is away keeps the models last seen."""
        await asyncio.gather(*(self._refresh(name) for name in self._providers))

    def known(self) -> dict[str, ModelCard]:
        """As last seen."""
        return {id_: card for seen in self._seen.values() for id_, card in seen.cards.items()}

    async def find(self, model_id: str) -> ModelCard | None:
        name = model_id.partition("/")[0]
        if name not in self._providers:
            return None
        if model_id not in self._seen[name].cards:
            await self._refresh(name, SOON_S)  # it may just have been loaded
        return self._seen[name].cards.get(model_id)

    def provider(self, card: ModelCard) -> Provider:
        return self._providers[card.provider]

    def forget(self, name: str) -> None:
        """What a provider was seen to have has changed."""
        if name in self._seen:
            self._seen[name].seen_at = float("-inf")

    def seen(self) -> dict[str, Catalogue]:
        """Each provider's models, or why they are not known."""
        return dict(self._seen)

    def absence(self, model_id: str | None) -> ApiError | None:
        """Why a model, or any, cannot be had though there may be one."""
        name = (model_id or "").partition("/")[0]
        errors = [
            seen.error
            for provider, seen in self._seen.items()
            if seen.error and (model_id is None or provider == name)
        ]
        return ApiError("offline:chat", errors[0].message) if errors else None

    async def _refresh(self, name: str, fresh_s: float = FRESH_S) -> None:
        seen = self._seen[name]
        if name in self._fixed or seen.is_fresh(SOON_S if seen.error else fresh_s):
            return
        try:
            cards = await self._providers[name].models()
        except ProviderError as error:
            seen.error = error
        else:
            seen.cards, seen.error = self._complete(name, cards), None
        seen.seen_at = time.monotonic()

    def _complete(self, provider: str, listed: Sequence[ModelCard]) -> dict[str, ModelCard]:
        named = {card.id: card for card in self._named if card.provider == provider}
        cards = {card.id: card for card in listed}
        cards |= {id_: card for id_, card in named.items() if id_ not in cards}
        return {id_: replace(card, **self._changes.get(id_, {})) for id_, card in cards.items()}
