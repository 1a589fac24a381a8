"""One deployment being asked."""

import time
from collections.abc import Sequence
from typing import Generic, TypeVar

from raylm.core.wire.failure import Failure
from raylm_apps.gateway.providers.base import ProviderError
from raylm_apps.gateway.routing.call import Call
from raylm_apps.gateway.routing.load import Load
from raylm_apps.gateway.routing.route import Deployment, Pool
from raylm_apps.gateway.routing.silence import watched

T = TypeVar("T")


class Asked(Generic[T]):
    """Counts as in flight until it is closed."""

    def __init__(
        self, pool: Pool, deployment: Deployment, call: Call[T], said: Sequence[T], load: Load
    ) -> None:
        self.pool = pool
        self.deployment = deployment
        self.is_probe = False
        self.has_begun = False
        self._load = load
        self._is_open = True
        self._asked_at = time.perf_counter()
        patience = pool.patience
        self.items = call.start(deployment.card, deployment.provider, said)
        if patience.first_token_s is not None or patience.inter_token_s is not None:
            self.items = watched(self.items, patience.first_token_s, patience.inter_token_s)
        load.asked(deployment.model)

    @property
    def model(self) -> str:
        return self.deployment.model

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._asked_at

    async def begin(self) -> T:
        """The first item. Raises ProviderError, also where there is none."""
        try:
            self.first = await anext(self.items)
        except StopAsyncIteration:
            raise ProviderError.of(Failure.BROKEN_OFF, "an empty answer") from None
        self.has_begun = True
        self._load.began(self.model, self.seconds)
        return self.first

    async def aclose(self) -> None:
        if self._is_open:
            self._is_open = False
            self._load.ended(self.model)
            await self.items.aclose()
