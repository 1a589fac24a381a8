"""From a request's messages or text to token ids."""

import asyncio
from collections.abc import Sequence

from raylm.core.errors import RequestError
from raylm.core.wire.openai import Message
from raylm.serve.seam import ChatTemplate, Engine

LONG_TEXT_CHARS = 16_384  # tokenizing more than this (about 5 ms) leaves the event loop


async def chat_prompt(engine: Engine, messages: Sequence[Message]) -> list[int]:
    """The conversation in the model's own template, which writes its special tokens itself."""
    if engine.chat_template is None:
        return await text_prompt(engine, plain_text(messages))
    text = render(engine.chat_template, messages)
    return await _encode(engine, text, add_special_tokens=False)


async def text_prompt(engine: Engine, prompt: str | Sequence[int]) -> list[int]:
    if isinstance(prompt, str):
        return await _encode(engine, prompt, add_special_tokens=True)
    if not prompt:
        raise RequestError("prompt has no tokens; send at least one", param="prompt")
    return list(prompt)


def render(template: ChatTemplate, messages: Sequence[Message]) -> str:
    return template.render(
        [
            {"role": "system" if m.role == "developer" else m.role, "content": m.text()}
            for m in messages
        ],
        add_generation_prompt=True,
    )


def plain_text(messages: Sequence[Message]) -> str:
    """What a base model, which knows no roles, is given to continue."""
    return "\n".join(message.text() for message in messages)


async def _encode(engine: Engine, text: str, *, add_special_tokens: bool) -> list[int]:
    if len(text) > LONG_TEXT_CHARS:
        ids = await asyncio.to_thread(
            engine.tokenizer.encode, text, add_special_tokens=add_special_tokens
        )
    else:
        ids = engine.tokenizer.encode(text, add_special_tokens=add_special_tokens)
    return ids
