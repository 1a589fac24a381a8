"""A provider whose work goes on one reservation: steps, tools' documents, whatever it is asked."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from raylm.core.wire.events import (
    Event,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from raylm.core.wire.prompt import Prompt, ToolCall
from raylm_apps.gateway.budgets.budgets import Budgets
from raylm_apps.gateway.budgets.estimate import prompt_tokens
from raylm_apps.gateway.budgets.meter import ReservationMeter
from raylm_apps.gateway.budgets.reservation import Reservation
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.routing.routed import RoutedProvider


class Metered:
    def __init__(
        self, provider: RoutedProvider, budgets: Budgets, reservation: Reservation
    ) -> None:
        self.name = provider.name
        self._provider = provider
        self._budgets = budgets
        self._reservation = reservation

    async def models(self) -> Sequence[ModelCard]:
        return await self._provider.models()

    async def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        """Where the provider does not tell, or is stopped, what came is counted by its length."""
        meter = ReservationMeter(self._budgets, self._reservation, prompt_tokens(prompt))
        usage: Usage | None = None
        try:
            async with aclosing(self._provider.stream(model, prompt, meter)) as events:
                async for event in events:
                    meter.came(chars_of(event))
                    if isinstance(event, Finished):
                        usage = event.usage
                    yield event
        finally:
            meter.ended(usage)


def chars_of(event: Event) -> int:
    match event:
        case TextDelta(text) | ReasoningDelta(text):
            return len(text)
        case ToolCallDelta(_, arguments):
            return len(arguments)
        case ToolCall(_, name):
            return len(name)
        case _:
            return 0
