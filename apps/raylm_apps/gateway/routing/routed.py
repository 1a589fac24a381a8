"""A route as a provider: what the chat asks, without knowing who answers."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TypeVar

from raylm.core.wire.events import Event, Finished
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.providers.base import ModelCard, counter_of
from raylm_apps.gateway.routing.answer import Answer
from raylm_apps.gateway.routing.call import Call, Meter
from raylm_apps.gateway.routing.chat_call import ChatCall
from raylm_apps.gateway.routing.route import Route
from raylm_apps.gateway.routing.router import Router

T = TypeVar("T")


class RoutedProvider:
    """Of one name, as the configuration was when it was asked for."""

    def __init__(self, router: Router, route: Route) -> None:
        self.name = route.name
        self._router = router
        self._route = route

    async def models(self) -> Sequence[ModelCard]:
        return [member.card for member in self._route.asked.members]

    async def open(self, call: Call[T], meter: Meter | None = None) -> Answer[T]:
        """Raises ProviderError; close the answer."""
        return await self._router.open(self._route, call, meter)

    async def count_tokens(self, prompt: Prompt) -> int | None:
        """As whoever would be asked first counts; None where they do not tell. Raises
        ProviderError."""
        first = min(self._route.asked.members, key=lambda member: member.priority)
        counter = counter_of(first.provider)
        return None if counter is None else await counter.count_tokens(first.card, prompt)

    async def stream(
        self, model: ModelCard, prompt: Prompt, meter: Meter | None = None
    ) -> AsyncGenerator[Event, None]:
        """Finished names who has answered, where that is not who was asked."""
        async with aclosing(await self.open(ChatCall(prompt, model), meter)) as answer:
            async for event in answer:
                if isinstance(event, Finished) and answer.model != model.id:
                    event = replace(event, model=answer.model)
                yield event
