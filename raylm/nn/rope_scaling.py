"""How a model's rotary frequencies are stretched beyond the context it was first trained on.

Each variant maps the plain inverse frequencies to scaled ones. `amplitude` multiplies the
cosines and sines (YaRN sharpens attention with it; the others leave it at one).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class LinearScaling:
    """Position interpolation (Chen et al., 2023): every frequency divided by `factor`."""

    factor: float

    amplitude = 1.0

    def scale(self, inv_freq: Tensor, theta: float) -> Tensor:
        return inv_freq / self.factor


@dataclass(frozen=True, slots=True)
class Llama3Scaling:
    """Llama 3.1: long wavelengths are divided by `factor`, short ones kept, a ramp between."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_positions: int

    amplitude = 1.0

    def scale(self, inv_freq: Tensor, theta: float) -> Tensor:
        turns = self.original_max_positions * inv_freq / (2 * math.pi)
        ramp = (turns - self.low_freq_factor) / (self.high_freq_factor - self.low_freq_factor)
        kept = ramp.clamp(0, 1)
        return (1 - kept) * inv_freq / self.factor + kept * inv_freq


@dataclass(frozen=True, slots=True)
class YarnScaling:
    """YaRN (Peng et al., 2023): a ramp over dimensions, and sharper attention."""

    factor: float
    original_max_positions: int
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    attention_factor: float | None = None

    @property
    def amplitude(self) -> float:
        if self.attention_factor is not None:
            return self.attention_factor
        return 0.1 * math.log(self.factor) + 1.0 if self.factor > 1 else 1.0

    def scale(self, inv_freq: Tensor, theta: float) -> Tensor:
        half = inv_freq.numel()
        low = max(math.floor(self._dimension(self.beta_fast, half, theta)), 0)
        high = min(math.ceil(self._dimension(self.beta_slow, half, theta)), 2 * half - 1)
        span = high - low or 0.001
        stretched = ((torch.arange(half, device=inv_freq.device) - low) / span).clamp(0, 1)
        return inv_freq / self.factor * stretched + inv_freq * (1 - stretched)

    def _dimension(self, turns: float, half: int, theta: float) -> float:
        """The pair of dimensions that turns `turns` times over the original context."""
        ratio = self.original_max_positions / (turns * 2 * math.pi)
        return half * math.log(ratio) / math.log(theta)


@dataclass(frozen=True, slots=True)
class FactorScaling:
    """One divisor per pair of dimensions, as GGUF files store Llama 3.1's scaling."""

    factors: tuple[float, ...]

    amplitude = 1.0

    def scale(self, inv_freq: Tensor, theta: float) -> Tensor:
        return inv_freq / torch.tensor(self.factors, dtype=inv_freq.dtype, device=inv_freq.device)


RopeScaling = LinearScaling | Llama3Scaling | YarnScaling | FactorScaling


def inverse_frequencies(head_dim: int, theta: float, scaling: RopeScaling | None) -> Tensor:
    """Radians per position of each of the head_dim / 2 pairs, float32 on the CPU."""
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32, device="cpu") / head_dim
    inv_freq = 1.0 / theta**exponents
    return inv_freq if scaling is None else scaling.scale(inv_freq, theta)
