"""What can be asked, by whom, and who will answer: by the newest configuration."""

from collections.abc import Sequence
from dataclasses import replace

from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.providers.base import Catalogue, ModelCard
from raylm_apps.gateway.routing.offer import Offer
from raylm_apps.gateway.routing.routed import RoutedProvider
from raylm_apps.gateway.routing.router import Router


class Catalog:
    """Everywhere: without an asker, it is the gateway itself, which may use everything."""

    def __init__(self, router: Router, offer: Offer, *, default: str | None = None) -> None:
        self._router = router
        self._offer = offer
        self._wanted = default

    async def adopt(self, offer: Offer) -> None:
        """From now on; answers that have been asked for go on as they began."""
        await offer.refresh()
        self._offer = offer

    async def cards(self, asker: Session | None = None, *, embeds: bool = False) -> list[ModelCard]:
        """What can be asked now; with `embeds` also what does not chat."""
        offer = self._offer
        await offer.refresh()
        return offer.cards(asker, embeds=embeds)

    def forget(self, provider: str) -> None:
        """Its models have changed: whoever asks next is told the new ones."""
        self._offer.forget(provider)

    async def providers(self) -> dict[str, Catalogue]:
        """What each has, or why that is not known."""
        offer = self._offer
        await offer.refresh()
        return offer.seen()

    async def default(self, asker: Session | None = None) -> ModelCard | None:
        return self._default(await self.cards(asker))

    async def resolve(
        self, name: str | None, asker: Session | None = None
    ) -> tuple[RoutedProvider, ModelCard]:
        """The card has the prices of the dearest who may answer. Raises bad_request for an unknown
        name, forbidden for one that is not the asker's, offline for one whose provider is away."""
        offer = self._offer
        if name is None:
            await offer.refresh()
            card = self._default(offer.cards(asker))
        else:
            card = await offer.card(name, asker)
        if card is None:
            raise offer.absence()
        route = offer.route(card, asker)
        return RoutedProvider(self._router, route), replace(card, prices=route.dearest)

    async def find(
        self, name: str, asker: Session | None = None
    ) -> tuple[RoutedProvider, ModelCard]:
        """`resolve`, but with the status that programs look for: not_found for an unknown name."""
        try:
            return await self.resolve(name, asker)
        except ApiError as error:
            if error.code != "bad_request:api":
                raise
            raise ApiError("not_found:model", error.cause) from error

    def _default(self, cards: Sequence[ModelCard]) -> ModelCard | None:
        wanted = [card for card in cards if card.id in (self._wanted, f"raylm/{self._wanted}")]
        return next(iter(wanted or cards), None)
