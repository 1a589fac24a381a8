"""Every model of every provider, by id."""

import asyncio
import time
from collections.abc import Sequence

from raylm.core.suggest import did_you_mean
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.providers.base import Catalogue, ModelCard, Provider, ProviderError

FRESH_S = 30.0


class Catalog:
    def __init__(self, providers: Sequence[Provider], *, default: str | None) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._seen = {name: Catalogue() for name in self._providers}
        self._wanted = default

    async def cards(self) -> list[ModelCard]:
        """What can be asked now; a provider that is away keeps the models last seen."""
        await asyncio.gather(*(self._refresh(name) for name in self._providers))
        return [card for seen in self._seen.values() for card in seen.cards.values()]

    async def default(self) -> ModelCard | None:
        cards = await self.cards()
        wanted = [card for card in cards if card.id in (self._wanted, f"raylm/{self._wanted}")]
        return next(iter(wanted or cards), None)

    async def resolve(self, model_id: str | None) -> tuple[Provider, ModelCard]:
        """Raises bad_request for an unknown id, offline for one whose provider is away."""
        card = await (self.default() if model_id is None else self._find(model_id))
        if card is None:
            raise self._absence(model_id)
        return self._providers[card.provider], card

    async def _find(self, model_id: str) -> ModelCard | None:
        name = model_id.partition("/")[0]
        if name not in self._providers:
            return None
        if model_id not in self._seen[name].cards:
            await self._refresh(name)
        return self._seen[name].cards.get(model_id)

    def _absence(self, model_id: str | None) -> ApiError:
        name = (model_id or "").partition("/")[0]
        errors = [
            seen.error
            for provider, seen in self._seen.items()
            if seen.error and (model_id is None or provider == name)
        ]
        if errors:
            return ApiError("offline:chat", errors[0].message)
        if model_id is None:
            return ApiError("offline:chat", "no model is configured")
        known = [card_id for seen in self._seen.values() for card_id in seen.cards]
        return ApiError(
            "bad_request:api", f"unknown model {model_id!r}{did_you_mean(model_id, known)}"
        )

    async def _refresh(self, name: str) -> None:
        seen = self._seen[name]
        if time.monotonic() - seen.seen_at < (1.0 if seen.error else FRESH_S):
            return
        try:
            cards = await self._providers[name].models()
        except ProviderError as error:
            seen.error = error
        else:
            seen.cards, seen.error = {card.id: card for card in cards}, None
        seen.seen_at = time.monotonic()
