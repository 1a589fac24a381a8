"""What a name stands for: deployments that can stand for each other, and where to turn next."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from raylm_apps.gateway.providers.base import ModelCard, Prices, Provider
from raylm_apps.gateway.routing.circuit import ENDLESS, Tolerance
from raylm_apps.gateway.routing.strategy import Strategy


@dataclass(frozen=True)
class Deployment:
    """A model as one provider has it."""

    card: ModelCard
    provider: Provider
    weight: float = 1.0
    priority: int = 0

    @property
    def model(self) -> str:
        return self.card.id

    @property
    def price(self) -> float | None:
        prices = self.card.prices
        return None if prices is None else prices.input + prices.output


@dataclass(frozen=True)
class Patience:
    """Seconds; None: as long as the adapter waits."""

    first_token_s: float | None = None
    inter_token_s: float | None = None
    hedge_after_s: float | None = None


@dataclass(frozen=True)
class Pool:
    """Deployments that stand for each other: a group, or one model alone."""

    name: str
    members: tuple[Deployment, ...]
    strategy: Strategy = "ordered"
    attempts: int = 1
    patience: Patience = Patience()
    tolerance: Tolerance = ENDLESS
    obeys_circuits: bool = False
    """A model alone is asked whatever has happened: there is nobody else to ask."""
    fallbacks: tuple[str, ...] = ()
    context_fallbacks: tuple[str, ...] = ()
    policy_fallbacks: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[str, ...]:
        return (*self.fallbacks, *self.context_fallbacks, *self.policy_fallbacks)


@dataclass(frozen=True)
class Route:
    """A pool, and those that its fallbacks name; what the asker may not use is not among them."""

    asked: Pool
    others: Mapping[str, Pool] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.asked.name

    @property
    def dearest(self) -> Prices | None:
        """Of all who may answer."""
        deployments = [one for pool in (self.asked, *self.others.values()) for one in pool.members]
        return Prices.dearest([one.card.prices for one in deployments if one.card.prices])

    @property
    def has_others(self) -> bool:
        """Whether anybody can be asked after the first."""
        return bool(self.others) or self.asked.attempts > 1
