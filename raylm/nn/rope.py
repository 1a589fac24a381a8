"""Rotary position embedding (Su et al., 2021), in the half-split layout of Hugging Face models.

Shapes: N tokens, H heads, D head_dim.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from raylm.nn.rope_scaling import RopeScaling, inverse_frequencies


@dataclass(frozen=True, slots=True)
class Rotation:
    """The cosines and sines of a batch's positions, each N x 1 x D/2 in float32."""

    cos: Tensor
    sin: Tensor

    def __call__(self, x_NHD: Tensor) -> Tensor:
        """Turn each pair (x[i], x[i + D/2]) by its angle, in float32; keeps the dtype of x."""
        a, b = x_NHD.float().chunk(2, dim=-1)
        turned = torch.cat((a * self.cos - b * self.sin, b * self.cos + a * self.sin), dim=-1)
        return turned.to(x_NHD.dtype)


class Rope:
    """The rotation of each position. Not a module: its table never follows a cast to bfloat16."""

    def __init__(self, head_dim: int, theta: float, scaling: RopeScaling | None) -> None:
        self._inv_freq = inverse_frequencies(head_dim, theta, scaling)
        self._amplitude = 1.0 if scaling is None else scaling.amplitude

    def at(self, positions_N: Tensor) -> Rotation:
        if self._inv_freq.device != positions_N.device:
            self._inv_freq = self._inv_freq.to(positions_N.device)
        angles = positions_N.float().unsqueeze(-1) * self._inv_freq
        return Rotation(
            (angles.cos() * self._amplitude).unsqueeze(-2),
            (angles.sin() * self._amplitude).unsqueeze(-2),
        )
