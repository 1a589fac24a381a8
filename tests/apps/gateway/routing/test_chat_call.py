"""A prompt on its way to another model than the one it was made for."""

from collections.abc import AsyncGenerator, Sequence

import pytest

from raylm.core.wire.events import Event, Finished
from raylm.core.wire.prompt import Prompt, Thought, ToolCall, ToolDefinition, Turn
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.routing.chat_call import ChatCall

SIGNED = Prompt(
    [
        Turn("user", "Paris?"),
        Turn(
            "assistant",
            "",
            [ToolCall("c1", "getWeather", "{}", signature="mine")],
            thoughts=[Thought("Hm.", "mine")],
        ),
        Turn("tool", "11", tool_call_id="c1"),
    ],
    [ToolDefinition("getWeather", "The weather.", {})],
)


class Listening:
    name = "b"

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []

    async def models(self) -> Sequence[ModelCard]:
        return []

    async def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        self.prompts.append(prompt)
        yield Finished()


@pytest.mark.parametrize(
    ("signer", "answering", "kept"),
    [("a", "a", True), ("a", "b", False), ("group", "a", False)],
)
async def test_a_signature_reaches_its_own_provider_alone(
    signer: str, answering: str, kept: bool
) -> None:
    provider = Listening()
    asked = ModelCard("fast", "fast", signer, tools=True)
    card = ModelCard(f"{answering}/m", "m", answering, tools=True)
    async for _ in ChatCall(SIGNED, asked).start(card, provider, []):
        pass
    (prompt,) = provider.prompts
    assert bool(prompt.turns[1].thoughts) is kept
    assert (prompt.turns[1].tool_calls[0].signature == "mine") is kept
    assert [turn.text for turn in prompt.turns] == [turn.text for turn in SIGNED.turns]
