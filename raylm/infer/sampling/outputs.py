"""What a generation gives back: whole (RequestOutput) or as it grows (Delta)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from raylm.core.sampling import FinishReason


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """Natural logarithms under the model itself, before temperature, penalties and bias.

    `top` maps the likeliest tokens to theirs, likeliest first.
    """

    token_id: int
    logprob: float
    top: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Delta:
    """What choice `index` gained in one step; its last one alone has a `finish_reason`.

    `text` is empty while a character or a stop string may still be incomplete.
    """

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[TokenLogprob, ...] | None
    finish_reason: FinishReason | None
    prompt_tokens: int
    cached_tokens: int
    index: int = 0
    embedding: tuple[float, ...] | None = None
    """Of a prompt that was to become a vector: there is one delta, and no text."""


@dataclass(frozen=True, slots=True)
class Completion:
    index: int
    text: str
    token_ids: list[int]
    finish_reason: FinishReason
    logprobs: list[TokenLogprob] | None


@dataclass(frozen=True, slots=True)
class RequestOutput:
    """A prompt and its `n` completions; the plain properties are those of the first."""

    request_id: str
    prompt_token_ids: list[int]
    completions: tuple[Completion, ...]

    @classmethod
    def of(
        cls, request_id: str, prompt_token_ids: Sequence[int], deltas: Iterable[Delta]
    ) -> "RequestOutput":
        """From every delta of a finished request."""
        by_index: dict[int, list[Delta]] = {}
        for delta in deltas:
            by_index.setdefault(delta.index, []).append(delta)
        completions = tuple(_completion(index, by_index[index]) for index in sorted(by_index))
        return cls(request_id, list(prompt_token_ids), completions)

    @property
    def text(self) -> str:
        return self.completions[0].text

    @property
    def token_ids(self) -> list[int]:
        return self.completions[0].token_ids

    @property
    def finish_reason(self) -> FinishReason:
        return self.completions[0].finish_reason

    @property
    def logprobs(self) -> list[TokenLogprob] | None:
        return self.completions[0].logprobs


def _completion(index: int, deltas: Sequence[Delta]) -> Completion:
    reason = deltas[-1].finish_reason
    if reason is None:
        raise ValueError(f"choice {index} has not finished")
    wanted = any(delta.logprobs is not None for delta in deltas)
    return Completion(
        index=index,
        text="".join(delta.text for delta in deltas),
        token_ids=[token for delta in deltas for token in delta.token_ids],
        finish_reason=reason,
        logprobs=[entry for d in deltas for entry in d.logprobs or ()] if wanted else None,
    )
