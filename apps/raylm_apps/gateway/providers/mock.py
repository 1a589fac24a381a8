"""Deterministic providers for tests and demos, under RAYLM_MOCK_PROVIDER=1."""

import asyncio
import base64
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from raylm.core.wire.events import (
    Event,
    Finished,
    GeneratedFile,
    ReasoningDelta,
    ReasoningSigned,
    Source,
    TextDelta,
    Usage,
)
from raylm.core.wire.prompt import Prompt, ToolCall
from raylm_apps.gateway.providers.base import ModelCard, ProviderError
from raylm_apps.gateway.providers.mock_documents import work_on_documents
from raylm_apps.gateway.providers.mock_tools import call_tools, sight

SLOW_WORDS, SLOW_PAUSE_S = 100, 0.1
FLAKY_WORDS = 5
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A picture of one pixel."""


class MockProvider:
    """Eleven models, each good for one thing.

    `echo` repeats the question, `reasoning` thinks first, `tools` calls them, `documents` writes
    and changes documents, `slow` takes ten seconds, `silent` never says a word, `flaky` breaks
    after five words, `base` has no chat template, `title` names a chat, with the chatter of a small
    model, `vision` tells what images it was given, `picture` thinks, cites, draws, and tells what
    it was shown of earlier thoughts.
    """

    def __init__(self, name: str = "mock") -> None:
        self.name = name

    async def models(self) -> Sequence[ModelCard]:
        return [
            ModelCard(
                f"{self.name}/{kind}",
                f"Mock {kind}",
                self.name,
                reasoning=kind == "reasoning",
                tools=kind in ("tools", "documents"),
                vision=kind in ("tools", "vision"),
                chat_template=kind != "base",
                context_tokens=8192,
                remote_id=kind,
            )
            for kind in _KINDS
        ]

    async def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        question = prompt.turns[-1].text
        count, reason = 0, "stop"
        async for event in _KINDS[model.remote_id](prompt):
            count += 1
            if isinstance(event, ToolCall):
                reason = "tool-calls"
            yield event
        yield Finished(reason, Usage(len(question.split()), count))


async def _echo(prompt: Prompt) -> AsyncIterator[Event]:
    for word in _words(prompt.turns[-1].text):
        yield TextDelta(word)


async def _reasoning(prompt: Prompt) -> AsyncIterator[Event]:
    question = prompt.turns[-1].text
    for word in _words(f"The question has {len(question.split())} words. I repeat it."):
        yield ReasoningDelta(word)
    for word in _words(question):
        yield TextDelta(word)


async def _slow(prompt: Prompt) -> AsyncIterator[Event]:
    words = _words(prompt.turns[-1].text) or ["slow "]
    for index in range(SLOW_WORDS):
        yield TextDelta(words[index % len(words)].rstrip() + " ")
        await asyncio.sleep(SLOW_PAUSE_S)


async def _silent(prompt: Prompt) -> AsyncIterator[Event]:
    await asyncio.Event().wait()
    yield TextDelta("never")


async def _flaky(prompt: Prompt) -> AsyncIterator[Event]:
    for word in _words(prompt.turns[-1].text)[:FLAKY_WORDS]:
        yield TextDelta(word)
    raise ProviderError("The model stopped answering. Please try again.", cause="mock/flaky")


async def _title(prompt: Prompt) -> AsyncIterator[Event]:
    words = prompt.turns[-1].text.splitlines()[-1].split()
    for word in _words(f'**Title:** "About {" ".join(words[-2:])}"\n\nI chose it because'):
        yield TextDelta(word)


async def _vision(prompt: Prompt) -> AsyncIterator[Event]:
    turn = prompt.turns[-1]
    for word in _words(f"{sight(turn)} {turn.text}"):
        yield TextDelta(word)


async def _picture(prompt: Prompt) -> AsyncIterator[Event]:
    seen = [thought.signature for turn in prompt.turns for thought in turn.thoughts]
    yield ReasoningDelta("I think of a dot.")
    yield ReasoningSigned(f"thought {len(seen)}")
    for word in _words(f"I remember {', '.join(seen) or 'nothing'}."):
        yield TextDelta(word)
    yield Source("https://example.com/dots", "On dots")
    yield GeneratedFile("image/png", DOT)


_KINDS = {
    "echo": _echo,
    "reasoning": _reasoning,
    "slow": _slow,
    "silent": _silent,
    "flaky": _flaky,
    "base": _echo,
    "tools": call_tools,
    "documents": work_on_documents,
    "title": _title,
    "vision": _vision,
    "picture": _picture,
}


def _words(text: str) -> list[str]:
    """The words with the space that follows each."""
    return re.findall(r"\s*\S+\s*", text)
