"""Tokens drawn where the logits lie, by the rules of `sampler.py`, without waiting for them.

The order of the sampler, for all rows at once: what is drawn at random is a function of the
request's seed and the place in its output, so every number but the logits is known beforehand.
Shapes: R rows of logits, V vocabulary, L alternatives that are reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from raylm.infer.sampling.outputs import TokenLogprob
from raylm.infer.sampling.sampler import Sample, cuts, edited, edits, require_finite, uniform
from raylm.infer.scheduling.request import Request


@dataclass(frozen=True, slots=True)
class Knobs:
    """Of each row, on the device: R x 1 float64."""

    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    min_p: Tensor
    uniform: Tensor

    @classmethod
    def of(cls, requests: Sequence[Request], vocab_size: int, device: torch.device) -> "Knobs":
        wanted = [request.params for request in requests]
        columns = [
            [params.temperature or 1.0 for params in wanted],
            [params.top_k or vocab_size for params in wanted],
            [params.top_p for params in wanted],
            [params.min_p for params in wanted],
            [uniform(request) for request in requests],
        ]
        return cls(*_sent(torch.tensor(columns, dtype=torch.float64), device).unsqueeze(-1))


class Draw:
    """What a step draws. `ids_R` is there for the next step; `samples` waits."""

    def __init__(self, logits_RV: Tensor, requests: Sequence[Request]) -> None:
        edited_RV = _edited(logits_RV, requests)
        self.ids_R = _drawn(edited_RV, requests)
        self._wanted = [request.params.logprobs for request in requests]
        parts = [self.ids_R.double(), logits_RV.amax(dim=-1).double()]
        most = max((w for w in self._wanted if w is not None), default=None)
        if most is not None:
            parts += _logprobs(logits_RV, self.ids_R, min(most, logits_RV.shape[1]))
        self._columns = [1 if part.ndim == 1 else part.shape[1] for part in parts]
        self._found = _Fetched(torch.column_stack(parts))

    def samples(self) -> list[Sample]:
        """Raises EngineError when logits are not numbers."""
        ids, best, *logprobs = torch.split(self._found.wait(), self._columns, dim=1)
        require_finite(best.flatten().tolist())
        tokens = [int(token) for token in ids.flatten().tolist()]
        if not logprobs:
            return [Sample(token, None) for token in tokens]
        own, values, names = (part.tolist() for part in logprobs)
        return [
            Sample(token, None if wanted is None else _reported(token, *row, wanted))
            for token, wanted, row in zip(
                tokens, self._wanted, zip(own, values, names, strict=True), strict=True
            )
        ]


class _Fetched:
    """A tensor on its way to the CPU."""

    def __init__(self, found: Tensor) -> None:
        self._event: torch.cuda.Event | None = None
        self._host = found
        if found.is_cuda:
            self._host = torch.empty_like(found, device="cpu", pin_memory=True)
            self._host.copy_(found, non_blocking=True)
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record()

    def wait(self) -> Tensor:
        if self._event is not None:
            self._event.synchronize()
        return self._host


def _sent(values: Tensor, device: torch.device) -> Tensor:
    if device.type == "cuda":
        values = values.contiguous().pin_memory()
    return values.to(device, non_blocking=True)


def _edited(logits_RV: Tensor, requests: Sequence[Request]) -> Tensor:
    rows = [row for row, request in enumerate(requests) if edits(request.params)]
    if not rows:
        return logits_RV
    logits_RV = logits_RV.clone()
    for row in rows:
        logits_RV[row] = edited(logits_RV[row], requests[row])
    return logits_RV


def _drawn(logits_RV: Tensor, requests: Sequence[Request]) -> Tensor:
    best_R = logits_RV.argmax(dim=-1)
    all_params = [request.params for request in requests]
    if all(params.greedy for params in all_params):
        return best_R
    knobs = Knobs.of(requests, logits_RV.shape[1], logits_RV.device)
    # The maximum is taken off first: divided by a tiny temperature it would overflow.
    peaked_RV = (logits_RV - logits_RV.amax(dim=-1, keepdim=True)) / knobs.temperature.float()
    probs_RV = peaked_RV.softmax(dim=-1)
    drawn_R = _inverted(probs_RV, knobs.uniform)
    if any(map(cuts, all_params)):
        is_cut_R = _sent(torch.tensor([cuts(params) for params in all_params]), best_R.device)
        drawn_R = torch.where(is_cut_R, _cut(probs_RV, knobs), drawn_R)
    is_greedy_R = _sent(torch.tensor([params.greedy for params in all_params]), best_R.device)
    return torch.where(is_greedy_R, best_R, drawn_R)


def _cut(probs_RV: Tensor, knobs: Knobs) -> Tensor:
    """Drawn among the tokens that top_k, top_p and min_p leave, likeliest first."""
    sorted_RV, ids_RV = probs_RV.sort(dim=-1, descending=True, stable=True)
    ranks_V = torch.arange(sorted_RV.shape[1], device=sorted_RV.device)
    sorted_RV = torch.where(ranks_V < knobs.top_k, sorted_RV, 0.0)
    sorted_RV = sorted_RV / sorted_RV.sum(dim=-1, keepdim=True)
    before_RV = sorted_RV.cumsum(dim=-1) - sorted_RV
    kept_RV = (before_RV < knobs.top_p) & (sorted_RV >= knobs.min_p * sorted_RV[:, :1])
    kept_RV |= ranks_V == 0
    place_R = _inverted(torch.where(kept_RV, sorted_RV, 0.0), knobs.uniform)
    return ids_RV.gather(1, place_R[:, None]).flatten()


def _inverted(weights_RV: Tensor, uniform_R1: Tensor) -> Tensor:
    """The first token at which the cumulative distribution passes `uniform` of its total."""
    cumulative_RV = weights_RV.double().cumsum(dim=-1)
    sought_R1 = uniform_R1 * cumulative_RV[:, -1:]
    place_R = torch.searchsorted(cumulative_RV, sought_R1, right=True).flatten()
    return place_R.clamp_max(weights_RV.shape[1] - 1)


def _logprobs(logits_RV: Tensor, ids_R: Tensor, most: int) -> list[Tensor]:
    """R x 1 of the tokens drawn; R x L of the likeliest, and which these are; fp64, which holds
    every token exactly."""
    logprobs_RV = logits_RV.log_softmax(dim=-1)
    own_R1 = logprobs_RV.gather(1, ids_R[:, None])
    values_RL, ids_RL = logprobs_RV.topk(most, dim=-1)
    return [own_R1.double(), values_RL.double(), ids_RL.double()]


def _reported(
    token: int, own: list[float], values: list[float], ids: list[float], wanted: int
) -> TokenLogprob:
    top = zip((int(one) for one in ids[:wanted]), values[:wanted], strict=True)
    return TokenLogprob(token, own[0], dict(top))
