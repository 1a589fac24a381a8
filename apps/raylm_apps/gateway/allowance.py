"""Leave to have an answer written: counted when taken, and held until the answer has ended."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Annotated

from fastapi import Depends, Request

from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.auth import client_address, read_session, require_session
from raylm_apps.gateway.budgets.estimate import Size
from raylm_apps.gateway.budgets.meter import ReservationMeter
from raylm_apps.gateway.budgets.metered import Metered
from raylm_apps.gateway.budgets.reservation import Reservation
from raylm_apps.gateway.conversation import CHARS_PER_TOKEN, DEFAULT_CONTEXT_TOKENS
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.limits import Claim
from raylm_apps.gateway.providers.base import ModelCard, Provider
from raylm_apps.gateway.readers import Seat
from raylm_apps.gateway.routing.call import Meter
from raylm_apps.gateway.routing.routed import RoutedProvider
from raylm_apps.gateway.services import Services, services_of
from raylm_apps.gateway.slots import Slot
from raylm_apps.gateway.store import messages
from raylm_apps.gateway.store.ledger import Payer
from raylm_apps.gateway.wire.message import UserMessage


class Allowance:
    """Leaving the block gives it back, unless it is kept."""

    def __init__(self, gateway: Services, session: Session, address: str) -> None:
        self.gateway = gateway
        self.session = session
        self._address = address
        self._slot: Slot | None = None
        self._spent: tuple[Claim, ...] = ()
        self._reservation: Reservation | None = None

    def seat(self) -> Seat:
        """For whoever reads the answer. Raises rate_limit:stream."""
        rooms = self.gateway.entitlements.readers_at_once(self.session, self._address)
        return self.gateway.readers.seat(*rooms)

    async def take(
        self, model: ModelCard, chat_id: str, question: UserMessage | None = None
    ) -> ApiError | None:
        """Why there is none; a question that was posted before needs none, and says so later."""
        try:
            await self._count()
            self._reservation = await self._reserve(model, chat_id, question)
        except ApiError as refusal:
            return refusal
        return None

    async def take_for(self, model: ModelCard, size: Size) -> Reservation | None:
        """What a program's answer goes on. Raises why there is none."""
        await self._count()
        self._reservation = await self.gateway.budgets.reserve(
            self.session,
            model,
            prompt_chars=size.prompt_chars,
            images=size.images,
            max_tokens=size.max_tokens,
        )
        return self._reservation

    async def take_turn(self) -> None:
        """For what uses nothing of budgets: one of the answers at once, until the block ends."""
        await self._count()

    def metered(self, provider: RoutedProvider) -> Provider:
        """Whose work goes on what was reserved."""
        assert self._reservation is not None
        return Metered(provider, self.gateway.budgets, self._reservation)

    def meter(self) -> Meter:
        """Of the one answer that `take_for` was for."""
        reservation = self._reservation
        assert reservation is not None
        return ReservationMeter(
            self.gateway.budgets, reservation, reservation.expected.input_tokens
        )

    @property
    def payer(self) -> Payer:
        assert self._reservation is not None
        return self._reservation.payer

    def kept(self) -> Callable[[], None]:
        """It outlasts the block, until what this returns is called."""
        slot, self._slot, self._spent = self._slot, None, ()
        reservation, self._reservation = self._reservation, None

        def end() -> None:
            if slot is not None:
                self.gateway.slots.give_back(slot)
            if reservation is not None:
                self.gateway.budgets.settle(reservation)

        return end

    def lasts_until_end_of(self, task: asyncio.Task[None]) -> None:
        end = self.kept()
        task.add_done_callback(lambda _: end())

    async def _count(self) -> None:
        gateway, entitlements = self.gateway, self.gateway.entitlements
        self._slot = await gateway.slots.take(
            *entitlements.answers_at_once(self.session, self._address)
        )
        claims = entitlements.message(self.session, self._address)
        await gateway.limits.spend(*claims)
        self._spent = claims

    async def _reserve(
        self, model: ModelCard, chat_id: str, question: UserMessage | None
    ) -> Reservation:
        """For what the chat holds already, too, where a budget is to be kept to."""
        gateway, session = self.gateway, self.session
        chars = len(question.text) if question else 0
        if await gateway.budgets.applies_to(session, model):
            async with gateway.database.connection() as connection:
                chars += await messages.chars_of_chat(connection, chat_id, session.user_id)
            chars = min(chars, (model.context_tokens or DEFAULT_CONTEXT_TOKENS) * CHARS_PER_TOKEN)
        return await gateway.budgets.reserve(
            session,
            model,
            prompt_chars=chars,
            images=len(question.files) if question else 0,
            max_tokens=gateway.settings.max_answer_tokens if model.provider == "raylm" else None,
        )

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
        if self._reservation is not None:
            self.gateway.budgets.settle(self._reservation)
        await self.gateway.limits.give_back(*self._spent)


async def allowance_of(request: Request) -> Allowance:
    """Of whoever asks, for their session and address; one dependency, where four cost as much as
    the database. Raises unauthorized."""
    gateway = await services_of(request)
    session = await require_session(await read_session(request, gateway))
    return Allowance(gateway, session, await client_address(request, gateway))


Asker = Annotated[Allowance, Depends(allowance_of)]
