"""Deterministic providers for tests and demos, under RAYLM_MOCK_PROVIDER=1."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from raylm_apps.gateway.providers.base import (
    Event,
    Finished,
    ModelCard,
    Prompt,
    ProviderError,
    ReasoningDelta,
    TextDelta,
    Turn,
    Usage,
)

SLOW_WORDS, SLOW_PAUSE_S = 100, 0.1
FLAKY_WORDS = 5


class MockProvider:
    """Seven models, each good for one thing.

    `echo` repeats the question, `reasoning` thinks first, `slow` takes ten seconds, `silent`
    never says a word, `flaky` breaks after five words, `base` has no chat template, `vision` tells
    what images it was given.
    """

    name = "mock"

    async def models(self) -> Sequence[ModelCard]:
        return [
            ModelCard(
                f"mock/{kind}",
                f"Mock {kind}",
                self.name,
                reasoning=kind == "reasoning",
                vision=kind == "vision",
                chat_template=kind != "base",
                context_tokens=8192,
            )
            for kind in (*_KINDS, "vision")
        ]

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        question, kind = prompt.turns[-1].text, prompt.model.id.removeprefix("mock/")
        if kind == "vision":
            question, kind = _seen(prompt.turns[-1]), "echo"
        count = 0
        async for event in _KINDS[kind](question):
            count += 1
            yield event
        yield Finished("stop", Usage(len(question.split()), count))


async def _echo(question: str) -> AsyncIterator[Event]:
    for word in _words(question):
        yield TextDelta(word)


async def _reasoning(question: str) -> AsyncIterator[Event]:
    for word in _words(f"The question has {len(question.split())} words. I repeat it."):
        yield ReasoningDelta(word)
    for word in _words(question):
        yield TextDelta(word)


async def _slow(question: str) -> AsyncIterator[Event]:
    words = _words(question) or ["slow "]
    for index in range(SLOW_WORDS):
        yield TextDelta(words[index % len(words)].rstrip() + " ")
        await asyncio.sleep(SLOW_PAUSE_S)


async def _silent(question: str) -> AsyncIterator[Event]:
    await asyncio.Event().wait()
    yield TextDelta(question)


async def _flaky(question: str) -> AsyncIterator[Event]:
    for word in _words(question)[:FLAKY_WORDS]:
        yield TextDelta(word)
    raise ProviderError("The model stopped answering. Please try again.", cause="mock/flaky")


_KINDS = {
    "echo": _echo,
    "reasoning": _reasoning,
    "slow": _slow,
    "silent": _silent,
    "flaky": _flaky,
    "base": _echo,
}


def _seen(turn: Turn) -> str:
    images = [f"{image.media_type} of {len(image.data)} bytes" for image in turn.images]
    return f"I see {', '.join(images) or 'no image'}. {turn.text}"


def _words(text: str) -> list[str]:
    """The words with the space that follows each."""
    return re.findall(r"\s*\S+\s*", text)
