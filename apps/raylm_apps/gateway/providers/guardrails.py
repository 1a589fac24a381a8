"""What an operator's own functions say of questions and answers, before anybody else sees them."""

import importlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from raylm.core.errors import ConfigError
from raylm.core.wire.events import Event, TextDelta
from raylm.core.wire.failure import Failure
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.providers.base import ModelCard, Provider, ProviderError


class GuardrailError(Exception):
    """Raised by a guardrail; the message is for the user."""


class AnswerGuard(Protocol):
    """Of one answer. Text that it holds back must be given by `end` at the latest."""

    def feed(self, text: str) -> str:
        """What of the answer so far may be shown now. Raises GuardrailError to end it."""
        ...

    def end(self) -> str: ...


class Guardrail(Protocol):
    """An object of the operator's, named as `module:attribute` in RAYLM_GUARDRAILS."""

    async def question(self, texts: Sequence[str]) -> Sequence[str]:
        """The texts of the prompt's turns as the model shall see them. Raises GuardrailError."""
        ...

    def answer(self) -> AnswerGuard: ...


class Guarded:
    """A provider behind guardrails: nothing goes through as it is, so answers are translated."""

    def __init__(self, provider: Provider, guardrails: Sequence[Guardrail]) -> None:
        self.name = provider.name
        self._provider = provider
        self._guardrails = guardrails

    async def models(self) -> Sequence[ModelCard]:
        return await self._provider.models()

    async def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        try:
            prompt = await self._checked(prompt)
            guards = [guardrail.answer() for guardrail in self._guardrails]
            async with aclosing(self._provider.stream(model, prompt)) as events:
                async for event in events:
                    for shown in _shown(event, guards):
                        yield shown
        except GuardrailError as refusal:
            raise ProviderError(str(refusal), failure=Failure.POLICY) from refusal

    async def _checked(self, prompt: Prompt) -> Prompt:
        texts: Sequence[str] = [turn.text for turn in prompt.turns]
        for guardrail in self._guardrails:
            texts = await guardrail.question(texts)
        turns = [replace(turn, text=text) for turn, text in zip(prompt.turns, texts, strict=True)]
        return replace(prompt, turns=turns)


def guarded(provider: Provider, guardrails: Sequence[Guardrail]) -> Provider:
    return Guarded(provider, guardrails) if guardrails else provider


def load_guardrails(names: Sequence[str]) -> list[Guardrail]:
    """Raises ConfigError for a name that leads nowhere."""
    return [_load(name) for name in names]


def _load(name: str) -> Guardrail:
    module, colon, attribute = name.partition(":")
    try:
        found: Guardrail = getattr(importlib.import_module(module), attribute or " ")
    except (ImportError, AttributeError, ValueError) as error:
        wanted = "" if colon else "; it is written as module:attribute"
        raise ConfigError(f"RAYLM_GUARDRAILS {name!r}: {error}{wanted}") from None
    if not (
        callable(getattr(found, "question", None)) and callable(getattr(found, "answer", None))
    ):
        raise ConfigError(f"RAYLM_GUARDRAILS {name!r}: it has no methods question and answer")
    return found


def _shown(event: Event, guards: Sequence[AnswerGuard]) -> list[Event]:
    """Each guard sees what the one before lets pass; what they held back comes before all else."""
    if isinstance(event, TextDelta):
        text = event.text
        for guard in guards:
            text = guard.feed(text)
        return [TextDelta(text)] if text else []
    rest = ""
    for guard in guards:
        rest = (guard.feed(rest) if rest else "") + guard.end()
    return [TextDelta(rest), event] if rest else [event]
