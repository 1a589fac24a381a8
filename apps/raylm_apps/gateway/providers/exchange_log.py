"""Questions and answers in the log, for operators who want them, without keys and addresses."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import structlog

from raylm.core.wire.events import Event, Finished, TextDelta
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.providers.base import ModelCard, Provider
from raylm_apps.gateway.providers.redaction import redacted_text

MOST_CHARS = 10_000
logger = structlog.get_logger()


class Logged:
    """A provider all of whose exchanges are written down; answers are translated, to be read."""

    def __init__(self, provider: Provider) -> None:
        self.name = provider.name
        self._provider = provider

    async def models(self) -> Sequence[ModelCard]:
        return await self._provider.models()

    async def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        answer, reason = "", "broken off"
        try:
            async with aclosing(self._provider.stream(model, prompt)) as events:
                async for event in events:
                    if isinstance(event, TextDelta) and len(answer) < MOST_CHARS:
                        answer += event.text
                    elif isinstance(event, Finished):
                        reason = event.reason
                    yield event
        finally:
            turns = [{"role": turn.role, "text": _shown(turn.text)} for turn in prompt.turns]
            logger.info(
                "exchange", model=model.id, prompt=turns, answer=_shown(answer), reason=reason
            )


def logged(provider: Provider, *, wanted: bool) -> Provider:
    return Logged(provider) if wanted else provider


def _shown(text: str) -> str:
    return redacted_text(text[:MOST_CHARS])
