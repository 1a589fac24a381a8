"""Logits to tokens, each row by its own request's parameters.

Order: bias, penalties, temperature, top_k, top_p, min_p. The randomness of a token is a function
of the request's seed and the token's place in the output alone, so neither the rest of the
batch nor a preemption changes what is drawn.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from raylm.core.errors import EngineError
from raylm.core.sampling import SamplingParams
from raylm.core.seeding import derive_seed
from raylm.infer.sampling.likeliest import Likeliest
from raylm.infer.sampling.outputs import TokenLogprob

_SEED_RANGE = 2**63

# Sorting a vocabulary costs milliseconds; what the cuts leave nearly always lies within its top.
_GUESSES = (64, 1024)


class Place(Protocol):
    """Where a token is drawn: a request after its last token, or after guesses of more."""

    @property
    def params(self) -> SamplingParams: ...
    @property
    def seed(self) -> int: ...
    @property
    def token_ids(self) -> list[int]: ...
    @property
    def output_ids(self) -> list[int]: ...
    @property
    def output_length(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Sample:
    token_id: int
    logprob: TokenLogprob | None


def sample(logits_RV: Tensor, places: Sequence[Place]) -> list[Sample]:
    """One token per row; raises EngineError when the logits are not numbers."""
    if not places:
        return []
    best = logits_RV.max(dim=-1)
    require_finite(best.values.tolist())
    return [
        Sample(likeliest, None) if is_plain(place.params) else _sample(logits_RV[row], place)
        for row, (place, likeliest) in enumerate(zip(places, best.indices.tolist(), strict=True))
    ]


def take(likeliest: Likeliest) -> list[Sample]:
    """What plain places draw. Raises EngineError when the logits are not numbers."""
    require_finite(likeliest.logits_R.tolist())
    return [Sample(token, None) for token in likeliest.ids_R.tolist()]


def require_finite(logits: Sequence[float]) -> None:
    """Raises EngineError for the largest of a row that is no number."""
    if not all(map(math.isfinite, logits)):
        raise EngineError("the model produced logits that are not finite")


def reads_output(params: SamplingParams) -> bool:
    """Whether a token depends on which ones came before it, beyond the logits."""
    return bool(
        params.presence_penalty or params.frequency_penalty or params.repetition_penalty != 1.0
    )


def cuts(params: SamplingParams) -> bool:
    """Whether some tokens are never drawn."""
    return params.top_k > 0 or params.top_p < 1.0 or params.min_p > 0.0


def uniform(place: Place) -> float:
    """In [0, 1): what decides the token drawn there."""
    return derive_seed(place.seed, "token", place.output_length) / _SEED_RANGE


def is_plain(params: SamplingParams) -> bool:
    """Whether the likeliest token is all there is to say."""
    return params.greedy and params.logprobs is None and not edits(params)


def _sample(logits_V: Tensor, place: Place) -> Sample:
    params = place.params
    edited_V = edited(logits_V, place) if edits(params) else logits_V
    token = int(edited_V.argmax()) if params.greedy else _draw(edited_V, place)
    logprob = None if params.logprobs is None else _logprob(logits_V, token, params.logprobs)
    return Sample(token, logprob)


def edits(params: SamplingParams) -> bool:
    return bool(params.logit_bias) or reads_output(params)


def edited(logits_V: Tensor, place: Place) -> Tensor:
    """Bias, then OpenAI's two penalties on the output and CTRL's repetition penalty on all text."""
    params = place.params
    logits_V = logits_V.clone()
    for token, bias in params.logit_bias.items():
        logits_V[token] += bias
    if params.presence_penalty or params.frequency_penalty:
        seen, counts = torch.unique(_tokens(place.output_ids, logits_V), return_counts=True)
        logits_V[seen] -= params.presence_penalty + params.frequency_penalty * counts
    if params.repetition_penalty != 1.0:
        seen = torch.unique(_tokens(place.token_ids, logits_V))
        values, factor = logits_V[seen], params.repetition_penalty
        logits_V[seen] = torch.where(values > 0, values / factor, values * factor)
    return logits_V


def _tokens(ids: list[int], like: Tensor) -> Tensor:
    return torch.tensor(ids, dtype=torch.long, device=like.device)


def _draw(logits_V: Tensor, place: Place) -> int:
    """Inverse transform sampling over the tokens that the cuts leave."""
    params = place.params
    # The maximum is taken off first: divided by a tiny temperature it would overflow.
    probs_V = ((logits_V - logits_V.max()) / params.temperature).softmax(dim=-1)
    if not cuts(params):
        return _invert(probs_V, uniform(place))
    probs_K, ids_K = _candidates(probs_V, params)
    return int(ids_K[_invert(probs_K, uniform(place))])


def _candidates(probs_V: Tensor, params: SamplingParams) -> tuple[Tensor, Tensor]:
    """The tokens top_k, top_p and min_p leave, likeliest first."""
    if params.top_k:
        probs, ids = probs_V.topk(min(params.top_k, len(probs_V)))
        probs = probs / probs.sum()
    else:
        probs, ids = _top(probs_V, params)
    before = probs.cumsum(dim=-1) - probs
    kept = (before < params.top_p) & (probs >= params.min_p * probs[0])
    kept[0] = True
    return probs[kept], ids[kept]


def _top(probs_V: Tensor, params: SamplingParams) -> tuple[Tensor, Tensor]:
    """At least the tokens top_p and min_p leave, likeliest first."""
    for guess in _GUESSES:
        if guess < len(probs_V):
            probs, ids = probs_V.topk(guess)
            if _cut_lies_within(probs, params):
                return probs, ids
    return probs_V.sort(descending=True)


def _cut_lies_within(probs: Tensor, params: SamplingParams) -> bool:
    return float(probs.sum()) >= params.top_p or float(probs[-1]) < params.min_p * float(probs[0])


def _invert(probs: Tensor, uniform: float) -> int:
    """The first token at which the cumulative distribution passes `uniform` of its total."""
    cumulative = probs.double().cumsum(dim=-1)
    place = int(torch.searchsorted(cumulative, uniform * float(cumulative[-1]), right=True))
    return min(place, len(probs) - 1)


def _logprob(logits_V: Tensor, token: int, alternatives: int) -> TokenLogprob:
    logprobs_V = logits_V.log_softmax(dim=-1)
    values, ids = logprobs_V.topk(min(alternatives, len(logprobs_V)))
    top = dict(zip(ids.tolist(), values.tolist(), strict=True))
    return TokenLogprob(token, float(logprobs_V[token]), top)
