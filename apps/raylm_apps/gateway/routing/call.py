"""What is asked of whichever deployment is chosen: generic in what it streams."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

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


@dataclass(frozen=True)
class Attempt:
    model: str
    seconds: float
    """Until it began, or failed."""
    failure: Failure | Literal["overtaken"] | None = None
