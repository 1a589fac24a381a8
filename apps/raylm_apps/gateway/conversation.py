"""What a conversation becomes: a prompt that fits the model, and a title."""

import re
from collections.abc import Sequence

from raylm_apps.gateway.files.attachments import Attachments
from raylm_apps.gateway.providers.base import Turn
from raylm_apps.gateway.store.messages import Message

DEFAULT_CONTEXT_TOKENS = 8_192
# Cautious for prose (English has about 4.5 characters to a token), wrong for rare scripts, where
# the provider refuses and says so.
CHARS_PER_TOKEN = 3
TITLE_CHARS = 60
NO_ATTACHMENTS = Attachments()


def prompt_turns(
    path: Sequence[Message],
    context_tokens: int | None,
    answer_tokens: int,
    attachments: Attachments = NO_ATTACHMENTS,
) -> list[Turn]:
    """The newest messages that leave room for the answer; always the last one.

    Empty answers (stopped before their first word) are left out: a chat template may refuse them.
    """
    context = context_tokens or DEFAULT_CONTEXT_TOKENS
    room = max(context - answer_tokens, context // 2) * CHARS_PER_TOKEN
    turns: list[Turn] = []
    for message in reversed(path):
        text, images = attachments.text_of(message, room), attachments.images_of(message)
        room -= len(text)
        if turns and room < 0:
            break
        if text or images:
            turns.append(Turn(message.role, text, images))
    return turns[::-1]


def title_of(text: str) -> str:
    """The question's first sentence or line, cut at a word."""
    line = next((line for line in text.splitlines() if line.strip()), "").strip(" #*>-`\t")
    sentence = re.split(r"(?<=[.!?])\s", line, maxsplit=1)[0]
    words = " ".join(sentence.split())
    if len(words) <= TITLE_CHARS:
        return words or "New chat"
    cut = words[:TITLE_CHARS].rpartition(" ")[0] or words[:TITLE_CHARS]
    return f"{cut.rstrip(' ,;:')}…"
