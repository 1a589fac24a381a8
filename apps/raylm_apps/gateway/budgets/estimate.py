"""How much an answer may use, guessed before it begins, and after one that did not tell."""

import json

from raylm.core.wire.events import Usage
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.conversation import CHARS_PER_TOKEN
from raylm_apps.gateway.providers.base import ModelCard

# The dearest of the big providers for an image that fills their limit.
TOKENS_PER_IMAGE = 1_600
# Where neither the asker nor the model's context bounds the answer.
ANSWER_TOKENS = 4_096


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
    chars, images = 0, 0
    for turn in prompt.turns:
        chars += len(turn.text) + sum(len(call.arguments) for call in turn.tool_calls)
        chars += sum(len(thought.text) for thought in turn.thoughts)
        images += len(turn.images) + len(turn.files)
    for tool in prompt.tools:
        chars += len(tool.description) + len(json.dumps(tool.parameters, default=str))
    return tokens_of(chars) + images * TOKENS_PER_IMAGE
