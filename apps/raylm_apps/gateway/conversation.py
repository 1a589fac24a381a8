"""What a conversation becomes: a prompt that fits the model, and a title."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from raylm.core.wire.prompt import Prompt, ToolDefinition, Turn
from raylm_apps.gateway.files.attachments import Attachments
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.store.messages import Message
from raylm_apps.gateway.tool_parts import Part
from raylm_apps.gateway.tool_turns import turns_of

DEFAULT_CONTEXT_TOKENS = 8_192
# Cautious for prose (English has about 4.5 characters to a token), wrong for rare scripts, where
# the provider refuses and says so.
CHARS_PER_TOKEN = 3
TITLE_CHARS = 60
LEAST_RESULT_CHARS = 200
CUT = " … (cut to fit the model's context)"
NO_ATTACHMENTS = Attachments()


@dataclass(frozen=True)
class Conversation:
    """What was said up to and with the question, and who is to answer with which tools."""

    path: Sequence[Message]
    model: ModelCard
    user_id: str
    answer_tokens: int
    tools: Sequence[ToolDefinition] = ()
    attachments: Attachments = NO_ATTACHMENTS
    restarts: bool = False
    """Whether the client knows `reset-step`."""

    def without_tools(self) -> "Conversation":
        """Nor with the calls that were made before."""
        return replace(self, model=replace(self.model, tools=False), tools=())

    def prompt(self, answer: Sequence[Part] = (), *, may_call: bool = True) -> Prompt:
        """`answer` is what there is of the answer, calls and results included."""
        turns = prompt_turns(
            self.path,
            self.model.context_tokens,
            self.answer_tokens,
            answer,
            tools=self.model.tools,
            attachments=self.attachments,
            provider=self.model.provider,
        )
        return Prompt(
            turns,
            self.tools,
            "auto" if may_call else "none",
            restarts=self.restarts,
            user=self.user_id,
            chat=self.path[-1].chat_id,
        )


def prompt_turns(
    path: Sequence[Message],
    context_tokens: int | None,
    answer_tokens: int,
    answer: Sequence[Part] = (),
    *,
    tools: bool = False,
    attachments: Attachments = NO_ATTACHMENTS,
    provider: str = "",
) -> list[Turn]:
    """The newest messages that leave room for the answer; always the last, and the answer so far.

    Empty answers (stopped before their first word) are left out: a chat template may refuse them.
    Calls and results are left out where the model has no tools, and thoughts where they are not
    of its provider.
    """
    context = context_tokens or DEFAULT_CONTEXT_TOKENS
    room = max(context - answer_tokens, context // 2) * CHARS_PER_TOKEN
    begun = shortened(turns_of(answer, tools=tools, provider=provider), room // 2)
    room -= sum(map(_chars, begun))
    exchanges: list[list[Turn]] = []
    for message in reversed(path):
        if message.role == "assistant":
            said = turns_of(message.parts, tools=tools, provider=provider)
        else:
            said = _question(message, attachments, room)
        room -= sum(map(_chars, said))
        if exchanges and room < 0:
            break
        if said:
            exchanges.append(said)
    return [turn for said in reversed(exchanges) for turn in said] + begun


def _question(message: Message, attachments: Attachments, room: int) -> list[Turn]:
    text, images = attachments.text_of(message, room), attachments.images_of(message)
    return [Turn("user", text, images=images)] if text or images else []


def shortened(turns: Sequence[Turn], room: int) -> list[Turn]:
    """Results that share the room equally, where together they exceed it."""
    results = [turn for turn in turns if turn.role == "tool"]
    if sum(map(_chars, results)) <= room:
        return list(turns)
    share = max(room // len(results), LEAST_RESULT_CHARS)
    return [_cut(turn, share) if turn.role == "tool" else turn for turn in turns]


def _cut(turn: Turn, chars: int) -> Turn:
    return turn if len(turn.text) <= chars else replace(turn, text=turn.text[:chars] + CUT)


def _chars(turn: Turn) -> int:
    called = sum(len(call.name) + len(call.arguments) for call in turn.tool_calls)
    return len(turn.text) + called + sum(len(thought.text) for thought in turn.thoughts)


def title_of(text: str) -> str:
    """The question's first sentence or line, cut at a word."""
    line = next((line for line in text.splitlines() if line.strip()), "").strip(" #*>-`\t")
    sentence = re.split(r"(?<=[.!?])\s", line, maxsplit=1)[0]
    words = " ".join(sentence.split())
    if len(words) <= TITLE_CHARS:
        return words or "New chat"
    cut = words[:TITLE_CHARS].rpartition(" ")[0] or words[:TITLE_CHARS]
    return f"{cut.rstrip(' ,;:')}…"
