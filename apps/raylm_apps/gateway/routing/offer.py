"""What a configuration offers: models and groups, who may use them, and where they lead."""

from raylm.core.suggest import did_you_mean
from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.providers.base import Catalogue, ModelCard
from raylm_apps.gateway.providers.listing import Listing
from raylm_apps.gateway.routing.circuit import Tolerance
from raylm_apps.gateway.routing.config import ProvidersConfig
from raylm_apps.gateway.routing.group_card import group_card
from raylm_apps.gateway.routing.route import Deployment, Patience, Pool, Route
from raylm_apps.gateway.routing.sections import GroupConfig


class Offer:
    """Whoever is asking keeps theirs: a new configuration makes a new one."""

    def __init__(self, config: ProvidersConfig, listing: Listing) -> None:
        self._config = config
        self._listing = listing

    async def refresh(self) -> None:
        await self._listing.refresh()

    def forget(self, provider: str) -> None:
        self._listing.forget(provider)

    def seen(self) -> dict[str, Catalogue]:
        return self._listing.seen()

    def cards(self, asker: Session | None, *, embeds: bool = False) -> list[ModelCard]:
        """As last seen, groups first; with `embeds` also what does not chat. None is the gateway
        itself, which may use everything."""
        known = self._listing.known()
        groups = [
            group_card(name, group, known)
            for name, group in self._config.groups.items()
            if self._members(group, asker)
        ]
        return [
            card
            for card in (*groups, *known.values())
            if self.may_use(asker, card.id) and (embeds or not card.embeds)
        ]

    async def card(self, name: str, asker: Session | None) -> ModelCard:
        """Raises bad_request for an unknown name, forbidden, offline for an absent provider."""
        group = self._config.groups.get(name)
        if group is not None:
            self._require(name, asker)
            return group_card(name, group, self._listing.known())
        card = await self._listing.find(name)
        if card is None:
            raise self._listing.absence(name) or self._unknown(name, asker)
        self._require(name, asker)
        return card

    def route(self, card: ModelCard, asker: Session | None) -> Route:
        """Raises forbidden where none of a group's models is for the asker."""
        asked = self._pool(card.id, asker)
        if not asked.members:
            raise ApiError("forbidden:model", f"none of the models of {card.id!r} is for you")
        others: dict[str, Pool] = {}
        names = list(asked.others)
        while names:
            name = names.pop()
            if name not in others and name != card.id and self.may_use(asker, name):
                others[name] = self._pool(name, asker)
                names += others[name].others
        return Route(asked, others)

    def may_use(self, asker: Session | None, name: str) -> bool:
        allowed = self._allowed(name)
        if asker is None or allowed is None or asker.type in allowed:
            return True
        return asker.email_verified and asker.email in allowed

    def absence(self) -> ApiError:
        """Why there is no model at all."""
        return self._listing.absence(None) or ApiError("offline:chat", "no model is configured")

    def _allowed(self, name: str) -> frozenset[str] | None:
        entry = self._config.groups.get(name) or self._config.models.get(name)
        return None if entry is None else entry.allow

    def _require(self, name: str, asker: Session | None) -> None:
        if not self.may_use(asker, name):
            types = sorted(who for who in self._allowed(name) or () if "@" not in who)
            whom = f"users of type {', '.join(types)}" if types else "certain users"
            raise ApiError("forbidden:model", f"{name!r} is for {whom}")

    def _unknown(self, name: str, asker: Session | None) -> ApiError:
        hint = did_you_mean(name, [card.id for card in self.cards(asker, embeds=True)])
        return ApiError("bad_request:api", f"unknown model {name!r}{hint}")

    def _pool(self, name: str, asker: Session | None) -> Pool:
        group = self._config.groups.get(name)
        if group is None:
            card = self._listing.known().get(name)
            return Pool(name, (self._deployment(card),) if card else ())
        members = self._members(group, asker)
        return Pool(
            name,
            members,
            group.strategy,
            group.attempts or len(members),
            Patience(group.first_token_s, group.inter_token_s, group.hedge_after_s),
            Tolerance(group.allowed_fails, group.cooldown_s),
            obeys_circuits=True,
            fallbacks=group.fallbacks,
            context_fallbacks=group.context_fallbacks,
            policy_fallbacks=group.policy_fallbacks,
        )

    def _members(self, group: GroupConfig, asker: Session | None) -> tuple[Deployment, ...]:
        """Without those that are not for the asker."""
        known = self._listing.known()
        return tuple(
            self._deployment(known[member.model], member.weight, member.priority)
            for member in group.members
            if member.model in known and self.may_use(asker, member.model)
        )

    def _deployment(self, card: ModelCard, weight: float = 1.0, priority: int = 0) -> Deployment:
        return Deployment(card, self._listing.provider(card), weight, priority)
