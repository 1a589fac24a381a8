"""One answer on a reservation: whoever says a part of it is paid for at their own price."""

from raylm.core.wire.events import Usage
from raylm.core.wire.failure import Failure
from raylm_apps.gateway.budgets.budgets import Budgets
from raylm_apps.gateway.budgets.estimate import tokens_of
from raylm_apps.gateway.budgets.reservation import Reservation
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.providers.base import ModelCard, ProviderError

UNPAID = "The model's answer broke off, and the budget does not pay another one to go on with it."


class ReservationMeter:
    """`input_tokens` is what the prompt is taken for where its provider does not tell."""

    def __init__(self, budgets: Budgets, reservation: Reservation, input_tokens: int) -> None:
        self._budgets = budgets
        self._reservation = reservation
        self._input_tokens = input_tokens
        self._card = reservation.card
        self._chars = 0

    def began(self, card: ModelCard) -> None:
        self._card = card

    def came(self, chars: int) -> None:
        self._chars += chars

    def ended(self, usage: Usage | None) -> None:
        """Where the provider has not told, what came is counted by its length."""
        if usage is None and self._chars:
            usage = Usage(self._input_tokens, tokens_of(self._chars))
        if usage is not None:
            self._reservation.used(usage, self._card)
        self._chars = 0

    async def broke_off(self) -> None:
        said = tokens_of(self._chars)
        self.ended(None)
        self._input_tokens += said
        try:
            await self._budgets.extend(self._reservation, said)
        except ApiError as refusal:
            raise ProviderError(UNPAID, cause=str(refusal), failure=Failure.BROKEN_OFF) from refusal
