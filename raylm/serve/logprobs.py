"""The engine's log-probabilities in the two shapes OpenAI gives them."""

from collections.abc import Sequence

from raylm.core.wire.openai import ChatLogprobs, CompletionLogprobs, TokenLogprob, TopLogprob
from raylm.serve.seam import Logprob, Tokenizer

REPLACEMENT = "\ufffd"  # what decoding gives for a token that is part of a character


def chat_logprobs(entries: Sequence[Logprob], tokenizer: Tokenizer) -> ChatLogprobs:
    return ChatLogprobs(
        content=[
            TokenLogprob(
                **_spelled(entry.token_id, entry.logprob, tokenizer).model_dump(),
                top_logprobs=[
                    _spelled(token, value, tokenizer) for token, value in entry.top.items()
                ],
            )
            for entry in entries
        ]
    )


def completion_logprobs(
    entries: Sequence[Logprob], tokenizer: Tokenizer, offset: int
) -> CompletionLogprobs:
    """`offset` is the number of characters of the answer before the first of `entries`."""
    tokens = [_text(entry.token_id, tokenizer) for entry in entries]
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token)
    return CompletionLogprobs(
        tokens=tokens,
        token_logprobs=[entry.logprob for entry in entries],
        top_logprobs=[
            {_text(token, tokenizer): value for token, value in entry.top.items()}
            for entry in entries
        ],
        text_offset=offsets,
    )


def _spelled(token_id: int, logprob: float, tokenizer: Tokenizer) -> TopLogprob:
    text = _text(token_id, tokenizer)
    known = None if REPLACEMENT in text else list(text.encode())
    return TopLogprob(token=text, logprob=logprob, bytes=known)


def _text(token_id: int, tokenizer: Tokenizer) -> str:
    return tokenizer.decode([token_id], skip_special_tokens=False)
