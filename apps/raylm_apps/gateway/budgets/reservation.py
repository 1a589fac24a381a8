"""One request's part of the budgets: what is kept for it, and what it has used so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from raylm.core.wire.events import Usage
from raylm_apps.gateway.budgets.counter import Amount, Counter
from raylm_apps.gateway.budgets.estimate import tokens_of
from raylm_apps.gateway.budgets.money import cost_micros
from raylm_apps.gateway.budgets.window import hour_of
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.store.ledger import Ended, Entry, Opened, Payer

NOTHING = Usage(0, 0)


@dataclass
class Reservation:
    """What was asked of several models, or in several steps, is added up."""

    id: str
    payer: Payer
    card: ModelCard
    begun_at: datetime
    expected: Usage
    counters: Sequence[Counter] = ()
    book_version: int = -1
    """Of the budgets that it was granted by."""
    is_request: bool = True
    """Not of what is asked besides, such as a title."""
    usage: Usage = NOTHING
    micros: int = 0
    extension: "Reservation | None" = None
    """Of an answer that broke off: what goes on with it is counted there."""
    _has_begun: bool = False
    _chars: int = 0

    def used(self, usage: Usage, card: ModelCard | None = None) -> None:
        """The provider has told; `card` is of the model that answered, if it is another."""
        if self.extension is not None:
            self.extension.used(usage, card)
            return
        self._has_begun, self._chars = True, 0
        self.usage = self.usage + usage
        self.micros += cost_micros(usage, (card or self.card).prices)

    def came(self, chars: int) -> None:
        """A piece of the answer was sent; where `used` does not follow, it is counted by these."""
        self._has_begun = True
        self._chars += chars

    @property
    def last(self) -> "Reservation":
        return self if self.extension is None else self.extension.last

    def close(self) -> None:
        """No usage will come for what `came`."""
        if self._chars:
            self.used(Usage(self.expected.input_tokens, tokens_of(self._chars)))

    @cached_property
    def reserved(self) -> Amount:
        expected = self.expected
        tokens = expected.input_tokens + expected.output_tokens
        return Amount(1, tokens, cost_micros(expected, self.card.prices))

    @property
    def spent(self) -> Amount:
        tokens = self.usage.input_tokens + self.usage.output_tokens
        return Amount(self._requests, tokens, self.micros)

    def opened(self) -> Opened:
        return Opened(self.id, self._entry(self.expected, 1, self.reserved.micros))

    def ended(self, *, was_opened: bool) -> Ended:
        entry = self._entry(self.usage, self._requests, self.micros)
        if not was_opened:
            return Ended(self.id, [entry])
        expected = self.expected
        taken_back = Usage(-expected.input_tokens, -expected.output_tokens)
        undo = self._entry(taken_back, -1, -self.reserved.micros)
        return Ended(self.id, [entry], undo)

    @property
    def _requests(self) -> int:
        return int(self._has_begun and self.is_request)

    def _entry(self, usage: Usage, requests: int, micros: int) -> Entry:
        return Entry(
            hour_of(self.begun_at),
            self.payer.user_id,
            self.payer.key_id,
            self.payer.team_id,
            self.card.id,
            requests,
            usage.input_tokens,
            usage.output_tokens,
            usage.cached_tokens,
            micros,
        )
