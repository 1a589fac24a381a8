"""How much an answer may use, guessed before it begins, and after one that did not tell."""

import json
from dataclasses import dataclass

from raylm.core.wire.events import Usage
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.conversation import CHARS_PER_TOKEN
from raylm_apps.gateway.providers.base import ModelCard

# The dearest of the big providers for an image that fills their limit.
TOKENS_PER_IMAGE = 1_600
# Where neither the asker nor the model's context bounds the answer.
ANSWER_TOKENS = 4_096


@dataclass(frozen=True)
class Size:
    """Of what is asked, as far as it can be seen beforehand."""

    prompt_chars: int
    images: int = 0
    max_tokens: int | None = None


def size_of(prompt: Prompt) -> Size:
    images = sum(len(turn.images) + len(turn.files) for turn in prompt.turns)
    return Size(prompt_chars(prompt), images, prompt.sampling.max_tokens)


def tokens_of(chars: int) -> int:
    return -(-chars // CHARS_PER_TOKEN)


def expected_usage(
    card: ModelCard, prompt_chars: int, images: int = 0, max_tokens: int | None = None
) -> Usage:
    """What is to be reserved; no more than fits the model's context."""
    asked = tokens_of(prompt_chars) + images * TOKENS_PER_IMAGE
    answer = ANSWER_TOKENS if max_tokens is None else max_tokens
    if card.context_tokens is None:
        return Usage(asked, answer)
    asked = min(asked, card.context_tokens)
    return Usage(asked, min(answer, max(card.context_tokens - asked, 1)))


def prompt_tokens(prompt: Prompt) -> int:
    size = size_of(prompt)
    return tokens_of(size.prompt_chars) + size.images * TOKENS_PER_IMAGE


def prompt_chars(prompt: Prompt) -> int:
    chars = 0
    for turn in prompt.turns:
        chars += len(turn.text) + sum(len(call.arguments) for call in turn.tool_calls)
        chars += sum(len(thought.text) for thought in turn.thoughts)
    for tool in prompt.tools:
        chars += len(tool.description) + len(json.dumps(tool.parameters, default=str))
    return chars
