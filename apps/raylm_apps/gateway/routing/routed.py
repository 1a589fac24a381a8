"""A route as a provider: what the chat asks, without knowing who answers."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TypeVar

from raylm.core.wire.events import Event, Finished
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.routing.answer import Answer
from raylm_apps.gateway.routing.call import Call
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

    async def open(self, call: Call[T]) -> Answer[T]:
        """Raises ProviderError; close the answer."""
        return await self._router.open(self._route, call)

    async def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        """Finished names who has answered, where that is not who was asked."""
        async with aclosing(await self.open(ChatCall(prompt, model))) as answer:
            async for event in answer:
                if isinstance(event, Finished) and answer.model != model.id:
                    event = replace(event, model=answer.model)
                yield event
