"""Activations, and the gated ones of an MLP (Shazeer 2020, https://arxiv.org/abs/2002.05202)."""

from collections.abc import Callable, Mapping
from functools import partial

from torch import Tensor
from torch.nn import functional as F

from raylm_kernels.arguments import require_like
from raylm_kernels.op import op

Activation = Callable[[Tensor], Tensor]
ACTIVATIONS: Mapping[str, Activation] = {
    "none": lambda x: x.clone(),
    "relu": F.relu,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
}


@op(gradients=("gate", "up"), check=lambda gate, up: require_like("swiglu", "up", up, gate))
def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) * up."""
    return F.silu(gate) * up


@op(gradients=("gate", "up"), check=lambda gate, up: require_like("geglu", "up", up, gate))
def geglu(gate: Tensor, up: Tensor) -> Tensor:
    """gelu(gate) * up, gelu by its tanh approximation."""
    return F.gelu(gate, approximate="tanh") * up
