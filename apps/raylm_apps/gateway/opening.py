"""An answer for a program, opened before its status is sent: until then a failure is an error."""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

from raylm.core.wire.events import Event
from raylm.core.wire.failure import Failure
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.providers.base import ProviderError
from raylm_apps.gateway.services import Services


class OpenedAnswer:
    """Its first event has come. Closing it cancels the provider's work."""

    def __init__(self, first: Event, rest: AsyncGenerator[Event, None]) -> None:
        self._first = first
        self._rest = rest

    async def events(self) -> AsyncIterator[Event]:
        yield self._first
        async for event in self._rest:
            yield event

    async def aclose(self) -> None:
        await self._rest.aclose()


async def open_answer(
    gateway: Services, session: Session, model: str, prompt: Prompt
) -> OpenedAnswer:
    """Raises ApiError for a model that is not there, ProviderError where no answer begins."""
    try:
        provider, card = await gateway.catalog.resolve(model)
    except ApiError as error:
        if error.code != "bad_request:api":
            raise
        raise ApiError("not_found:model", error.cause) from error
    asked_at = time.monotonic()
    events = provider.stream(card, replace(prompt, user=session.user_id))
    try:
        first = await anext(events)
    except StopAsyncIteration:
        raise ProviderError.of(Failure.BROKEN_OFF, f"{card.id} said nothing") from None
    gateway.metrics.first_token(card.id, time.monotonic() - asked_at)
    return OpenedAnswer(first, events)
