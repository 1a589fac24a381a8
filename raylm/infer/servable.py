"""What a request must be for an engine to take it."""

from collections.abc import Sequence

from raylm.core.errors import InputTooLongError, PromptTooLongError, RequestError
from raylm.core.sampling import SamplingParams

_MOST_BIAS = 100  # OpenAI's limits; enough to force or ban a token


def require_servable(
    prompt_ids: Sequence[int], params: SamplingParams, *, vocab_size: int, max_model_len: int
) -> None:
    """Raises RequestError for what could never be served."""
    if not prompt_ids:
        raise RequestError("the prompt is empty; give at least one token", param="prompt")
    if len(prompt_ids) >= max_model_len:  # no room for an answer
        raise PromptTooLongError(len(prompt_ids), max_model_len)
    _require_known("prompt", prompt_ids, vocab_size)
    _require_known("logit_bias", tuple(params.logit_bias), vocab_size)
    for token, bias in params.logit_bias.items():
        if not -_MOST_BIAS <= bias <= _MOST_BIAS:  # as NaN is not
            raise RequestError(
                f"logit_bias of token {token} is {bias}; it must lie in "
                f"[-{_MOST_BIAS}, {_MOST_BIAS}]",
                param="logit_bias",
            )


def require_embeddable(input_ids: Sequence[int], *, vocab_size: int, max_model_len: int) -> None:
    """Raises RequestError for what could never become a vector."""
    if not input_ids:
        raise RequestError("the input has no tokens; give at least one", param="input")
    if len(input_ids) > max_model_len:
        raise InputTooLongError(len(input_ids), max_model_len)
    _require_known("input", input_ids, vocab_size)


def _require_known(name: str, tokens: Sequence[int], vocab_size: int) -> None:
    if tokens and not 0 <= min(tokens) <= max(tokens) < vocab_size:
        token = next(token for token in tokens if not 0 <= token < vocab_size)
        raise RequestError(
            f"{name} names token {token}; the vocabulary has {vocab_size}", param=name
        )
