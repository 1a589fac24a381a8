"""How one request wants its tokens chosen, and why a generation ended."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from raylm.core.errors import RequestError


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """`temperature=0` is greedy; `max_tokens=None` runs to the end of the context.

    `top_k=0`, `top_p=1` and `min_p=0` are off. `logprobs` is the number of alternatives
    reported per token (0 reports the chosen token alone, None nothing).
    """

    max_tokens: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    seed: int | None = None
    logprobs: int | None = None
    n: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "stop", _as_tuple(self.stop))
        object.__setattr__(self, "stop_token_ids", tuple(self.stop_token_ids))
        _require(self.max_tokens is None or self.max_tokens >= 1, "max_tokens", self, ">= 1")
        _in_range("temperature", self.temperature, 0.0, 10.0)
        _in_range("top_p", self.top_p, 0.0, 1.0)
        _require(self.top_p > 0, "top_p", self, "> 0")
        _in_range("min_p", self.min_p, 0.0, 1.0)
        _in_range("presence_penalty", self.presence_penalty, -2.0, 2.0)
        _in_range("frequency_penalty", self.frequency_penalty, -2.0, 2.0)
        _in_range("repetition_penalty", self.repetition_penalty, 0.01, 10.0)
        _require(self.top_k >= 0, "top_k", self, ">= 0")
        _require(self.logprobs is None or 0 <= self.logprobs <= 20, "logprobs", self, "0 to 20")
        _require(1 <= self.n <= 128, "n", self, "1 to 128")
        _require(all(self.stop), "stop", self, "non-empty strings")

    @property
    def greedy(self) -> bool:
        return self.temperature == 0.0


def _as_tuple(stop: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop)


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise RequestError(f"{name} is {value}; it must lie in [{low:g}, {high:g}]", param=name)


def _require(ok: bool, name: str, params: SamplingParams, rule: str) -> None:
    if not ok:
        raise RequestError(f"{name} is {getattr(params, name)!r}; it must be {rule}", param=name)
