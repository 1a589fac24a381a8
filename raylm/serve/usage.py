"""What a request read and wrote, counted in tokens."""

from collections.abc import Sequence

from raylm.core.wire.openai import PromptTokensDetails, Usage
from raylm.serve.generation import Piece


def usage_of(pieces: Sequence[Piece], n: int) -> Usage:
    """`n` choices share a prompt, which counts once."""
    prompt_tokens = sum(piece.prompt_tokens for piece in pieces[::n])
    completion_tokens = sum(piece.token_count for piece in pieces)
    return Usage(
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        total_tokens=prompt_tokens + completion_tokens,
        prompt_tokens_details=PromptTokensDetails(
            cached_tokens=sum(piece.cached_tokens for piece in pieces[::n])
        ),
    )
