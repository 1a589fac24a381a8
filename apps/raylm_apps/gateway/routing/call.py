"""What is asked of whichever deployment is chosen: generic in what it streams."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from raylm.core.wire.events import Usage
from raylm.core.wire.failure import Failure
from raylm_apps.gateway.providers.base import ModelCard, Provider

T = TypeVar("T")


class Call(Protocol[T]):
    @property
    def goes_on(self) -> bool:
        """Whether another deployment can take over where an answer has broken off."""
        ...

    def start(
        self, card: ModelCard, provider: Provider, said: Sequence[T]
    ) -> AsyncGenerator[T, None]:
        """`said` is what the reader has got already, of others. Raises ProviderError; closing it
        cancels the provider's work."""
        ...


class Meter(Protocol):
    """Who keeps the account of one answer: the router says who speaks, its reader what came."""

    def began(self, card: ModelCard) -> None:
        """This model says what comes from now on."""
        ...

    async def broke_off(self) -> None:
        """Another one is to go on. Raises ProviderError where nothing is left to pay it with."""
        ...

    def came(self, chars: int) -> None: ...

    def ended(self, usage: Usage | None) -> None:
        """None: the provider has not told."""
        ...


class Unmetered:
    def began(self, card: ModelCard) -> None:
        return None

    async def broke_off(self) -> None:
        return None

    def came(self, chars: int) -> None:
        return None

    def ended(self, usage: Usage | None) -> None:
        return None


@dataclass(frozen=True)
class Attempt:
    model: str
    seconds: float
    """Until it began, or failed."""
    failure: Failure | Literal["overtaken"] | None = None
