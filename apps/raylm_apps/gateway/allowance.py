"""Leave to have an answer written: counted when taken, and held until the answer has ended."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Annotated

from fastapi import Depends, Request

from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.auth import client_address, read_session, require_session
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.limits import Claim
from raylm_apps.gateway.readers import Seat
from raylm_apps.gateway.services import Services, services_of
from raylm_apps.gateway.slots import Slot


class Allowance:
    """Leaving the block gives it back, unless it is kept."""

    def __init__(self, gateway: Services, session: Session, address: str) -> None:
        self.gateway = gateway
        self.session = session
        self._address = address
        self._slot: Slot | None = None
        self._spent: tuple[Claim, ...] = ()

    def seat(self) -> Seat:
        """For whoever reads the answer. Raises rate_limit:stream."""
        rooms = self.gateway.entitlements.readers_at_once(self.session, self._address)
        return self.gateway.readers.seat(*rooms)

    async def take(self) -> ApiError | None:
        """Why there is none; a question that was posted before needs none, and says so later."""
        gateway, entitlements = self.gateway, self.gateway.entitlements
        rooms = entitlements.answers_at_once(self.session, self._address)
        claims = entitlements.message(self.session, self._address)
        try:
            self._slot = await gateway.slots.take(*rooms)
            await gateway.limits.spend(*claims)
        except ApiError as refusal:
            return refusal
        self._spent = claims
        return None

    def kept(self) -> Callable[[], None]:
        """It outlasts the block, until what this returns is called."""
        slot, self._slot, self._spent = self._slot, None, ()

        def give_back() -> None:
            if slot is not None:
                self.gateway.slots.give_back(slot)

        return give_back

    def lasts_until_end_of(self, task: asyncio.Task[None]) -> None:
        give_back = self.kept()
        task.add_done_callback(lambda _: give_back())

    async def __aenter__(self) -> "Allowance":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._slot is not None:
            self.gateway.slots.give_back(self._slot)
        await self.gateway.limits.give_back(*self._spent)


async def allowance_of(request: Request) -> Allowance:
    """Of whoever asks, for their session and address; one dependency, where four cost as much as
    the database. Raises unauthorized."""
    gateway = await services_of(request)
    session = await require_session(await read_session(request, gateway))
    return Allowance(gateway, session, await client_address(request, gateway))


Asker = Annotated[Allowance, Depends(allowance_of)]
