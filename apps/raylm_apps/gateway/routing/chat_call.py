"""A prompt as a call: events out, of one model after the other where an answer breaks off."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from raylm.core.wire.events import Continued, Event, Restarted, TextDelta
from raylm.core.wire.prompt import Prompt, Turn
from raylm_apps.gateway.providers.base import ModelCard, Provider

GO_ON = (
    "Your answer was cut off after the words above. Go on with it from exactly there: do not "
    "repeat any of them, do not apologise, and say nothing about the interruption."
)


@dataclass(frozen=True)
class ChatCall:
    """Readers that do not know Restarted are told Continued, and the next model gets what was
    said so far with the request to go on."""

    prompt: Prompt
    asked: ModelCard | None = None
    """The model that the prompt was made for; others may be able to take less."""
    goes_on: bool = True

    def start(
        self, card: ModelCard, provider: Provider, said: Sequence[Event]
    ) -> AsyncGenerator[Event, None]:
        prompt = self._prompt_for(card)
        if not said:
            return provider.stream(card, prompt)
        if self.prompt.restarts:
            return _after(Restarted(card.id), provider.stream(card, prompt))
        prompt = continued(prompt, _text_of(said))
        return _after(Continued(card.id), provider.stream(card, prompt))

    def _prompt_for(self, card: ModelCard) -> Prompt:
        if self.asked is not None and card.id == self.asked.id:
            return self.prompt
        prompt = fitted(self.prompt, card)
        is_signer = self.asked is not None and card.provider == self.asked.provider
        return prompt if is_signer else unsigned(prompt)


async def _after(change: Event, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """Told once the new model has begun: until then, another one may have to be asked."""
    is_told = False
    async with aclosing(events):
        async for event in events:
            if not is_told:
                is_told = True
                yield change
            yield event


def continued(prompt: Prompt, text: str) -> Prompt:
    """For another model, which is to go on after what the one before has said."""
    if not text.strip():
        return prompt
    begun = [Turn("assistant", text), Turn("user", GO_ON)]
    return replace(prompt, turns=[*prompt.turns, *begun])


def fitted(prompt: Prompt, card: ModelCard) -> Prompt:
    """Without what this model cannot take, where the group as a whole could."""
    turns: Sequence[Turn] = prompt.turns
    if not card.vision:
        turns = [replace(turn, images=(), files=()) for turn in turns]
    if card.tools or not (prompt.tools or any(turn.tool_calls for turn in turns)):
        return replace(prompt, turns=turns)
    spoken = [replace(turn, tool_calls=()) for turn in turns if turn.role != "tool"]
    said = [turn for turn in spoken if turn.text or turn.images]
    return replace(prompt, turns=said, tools=(), tool_choice="auto")


def unsigned(prompt: Prompt) -> Prompt:
    """Without what another provider has signed, which this one would refuse."""
    turns = [
        replace(
            turn,
            thoughts=(),
            tool_calls=[replace(call, signature="") for call in turn.tool_calls],
        )
        for turn in prompt.turns
    ]
    return replace(prompt, turns=turns)


def _text_of(said: Sequence[Event]) -> str:
    return "".join(event.text for event in said if isinstance(event, TextDelta))
